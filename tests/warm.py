"""``python -m …`` without the seconds of its imports: a process forked from one that has made them already.

Everything else is a process's own: memory, folder, environment, arguments, signals, streams, exit status.
"""

from __future__ import annotations

import atexit
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([
    "asr_scaling.cli", "asr_scaling.job", "asr_scaling.report.build", "jiwer", "matplotlib.backends.backend_agg",
    "matplotlib.figure", "rich.progress", "scipy.stats", "torch",
])  # fmt: skip


def started(
    folder: Path, module: str, arguments: Sequence[str], env: Mapping[str, str], streams: tuple[str, str] | None = None
) -> Any:
    """The process, a group of its own, as ``multiprocessing`` has them; what it prints goes to two files or nowhere."""
    work = (str(folder), [module, *arguments], {**env}, streams or (os.devnull, os.devnull))
    process = _FORKS.Process(target=_work, args=work)
    process.start()
    return process


def run_warm(
    folder: Path, module: str, arguments: Sequence[str], env: Mapping[str, str], timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """``python -m module`` with ``arguments`` in ``folder``; what it printed and its exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        streams = f"{scratch}/out", f"{scratch}/err"
        process = started(folder, module, arguments, env, streams)
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module, *arguments], timeout_s)
        said = (Path(path).read_text(encoding="utf-8") for path in streams)
        return subprocess.CompletedProcess([module, *arguments], process.exitcode, *said)


def _work(folder: str, command: list[str], env: dict[str, str], streams: tuple[str, str]) -> None:
    """In the child: become that process."""
    os.setsid()
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
