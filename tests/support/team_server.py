"""The team's server as ``make server`` starts it, in a folder of its own:
MLflow, PostgreSQL and a login."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "server.sh"


def free_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgresql() -> bool:
    """Whether PostgreSQL's programs are installed."""
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


def close_sessions() -> None:
    """MLflow's connections, which it keeps for ever, are closed here and not when the tests end,
    as a warning."""
    from mlflow.utils import request_utils

    request_utils._cached_get_request_session.cache_clear()
    gc.collect()


class TeamServer:
    """``folder``: what the server keeps. It can be ended and started again, as a machine that is
    rebooted. ``options``: variables for its script.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.options = options
        self.folder, self.port, self.database_port = folder, free_port(), free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.said = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Until it says how to use it."""
        ports = {"PORT": str(self.port), "DATABASE_PORT": str(self.database_port), "WORKERS": "1"}
        own = {"FOLDER": str(self.folder), "BIN": str(Path(sys.executable).parent)}
        self._process = subprocess.Popen(
            [str(SCRIPT)],
            env={**os.environ, **own, **ports, **self.options},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline()]
        while lines[-1] and "backed up" not in lines[-1]:
            lines.append(self._process.stdout.readline())
        self.said = "".join(lines)
        assert "The tracking server is at" in self.said, self.said + self.log()

    def stop(self) -> int:
        """As Ctrl-C or a service manager does; the exit status."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(60)
        self._process.stdout.close()
        self._process = None
        return status

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def password(self) -> str:
        return (self.folder / "admin_password").read_text().strip()

    @property
    def login(self) -> dict[str, str]:
        return {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": self.password}

    def log(self) -> str:
        path = self.folder / "server.log"
        return path.read_text() if path.exists() else ""
