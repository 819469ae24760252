"""``asr-scaling serve`` as a process of its own, on a free port."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import openai

from support.served import TRUST

KEY = "a-key-0123456789"


class ServerProcess:
    """A server of the YAML ``text``, once it is ready. KEY holds a key, ``log`` is its LOG.

    line, hint: what it printed.
    """

    def __init__(self, folder: Path, text: str, *arguments: str) -> None:
        (folder / "system.yaml").write_text(text, encoding="utf-8")
        self.log = folder / "log.txt"
        env = {**os.environ, **TRUST, "LOG": str(self.log), "KEY": KEY, "HF_HUB_OFFLINE": "1"}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "asr_scaling",
                "serve",
                "system.yaml",
                "--port",
                "0",
                *arguments,
            ],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.hint = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.line)
        assert found, self.process.communicate()
        self.port = int(found[1])

    def client(self, key: str = "none") -> openai.OpenAI:
        url = f"http://127.0.0.1:{self.port}/v1"
        return openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=60)

    def ended(self, timeout_s: float = 30) -> tuple[int, str]:
        """Its exit status and what it wrote on standard error."""
        _, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
