"""``python -m …`` without the seconds of its imports:
a process forked from one that has made them already.

Everything else is a process's own: memory, folder, environment, arguments, signals, streams,
exit status.
"""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

os.environ.setdefault(
    "MLFLOW_DISABLE_TELEMETRY", "true"
)  # as asr_scaling does before it imports mlflow
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "asr_scaling.cli.sweep",
        "asr_scaling.measure.job",
        "asr_scaling.report.build",
        "codecarbon",
        "jiwer",
        "matplotlib.backends.backend_agg",
        "matplotlib.figure",
        "mlflow",
        "pandas",
        "rich.progress",
        "scipy.stats",
        "sqlalchemy.orm",
        "thop",
        "torch",
        "torch.profiler",
        "transformers.models.wav2vec2.modeling_wav2vec2",
        "transformers.models.whisper.modeling_whisper",
    ]
)


class Started:
    """A process, in a group of its own, whose output goes to two files."""

    def __init__(
        self, folder: Path, module: str, arguments: Sequence[str], env: Mapping[str, str]
    ) -> None:
        scratch = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._streams = [Path(scratch, name) for name in ("out", "err")]
        self.command = [module, *arguments]
        work = (str(folder), self.command, {**env}, [str(path) for path in self._streams])
        self._process: Any = _FORKS.Process(target=_work, args=work)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Its exit status, the negative signal where one ended it, None while it runs."""
        return self._process.exitcode  # type: ignore[no-any-return]

    def said(self, *words: str) -> None:
        """Wait for a line on its standard error that has all of ``words``."""
        while not any(all(word in line for word in words) for line in self._text(1).splitlines()):
            assert self.returncode is None, f"it ended early with {self.returncode}"
            time.sleep(0.01)

    def send_signal(self, number: int) -> None:
        """To the process alone."""
        os.kill(self._process.pid, number)

    def children(self) -> list[psutil.Process]:
        """Processes that it started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def kill_all(self) -> bool:
        """SIGKILL to it and all it started; False when it is so young that it has no group yet."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self._process.join()
        return True

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, None when it still runs then."""
        self._process.join(timeout_s)
        return self.returncode

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """Wait for its end; what it printed on standard output and standard error."""
        if self.wait(timeout) is None:
            self._process.kill()
            self._process.join()
            raise subprocess.TimeoutExpired(self.command, timeout)
        return self._text(0), self._text(1)

    def _text(self, stream: int) -> str:
        path = self._streams[stream]
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def run_warm(
    folder: Path, module: str, arguments: Sequence[str], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """``python -m module`` with ``arguments`` in ``folder``, without a hub;
    what it printed and its exit status."""
    process = Started(folder, module, arguments, {**(env or os.environ), "HF_HUB_OFFLINE": "1"})
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.command, process.returncode or 0, out, err)


def printed(folder: Path, module: str, *arguments: str) -> str:
    """What ``run_warm`` printed on standard output; it must have ended well."""
    done = run_warm(folder, module, arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _work(folder: str, command: list[str], env: dict[str, str], streams: Sequence[str]) -> None:
    """In the child: become that process."""
    gc.freeze()  # a collection would walk through, and so copy, what was imported before
    os.setsid()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what runs in the background is deaf to it
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate(streams, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.path.insert(0, folder)
    sys.argv = list(command)
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
