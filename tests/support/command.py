"""What the command-line tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from asr_scaling.core.record import RECORD_FILE, RunRecord
from support.offline import FAST
from support.warm import Started

Cli = Callable[..., subprocess.CompletedProcess[str]]
QUICK = (*FAST, "tracking=jsonl")


def records(folder: Path) -> list[RunRecord]:
    """Records below ``folder``, in the order of their paths."""
    return [RunRecord.read(path) for path in sorted(folder.rglob(RECORD_FILE))]


def start(tmp_path: Path, env: dict[str, str], *arguments: str) -> Started:
    """A sweep in the middle of its second point."""
    process = Started(tmp_path, "asr_scaling", ["-m", *arguments], env)
    process.said("[2/4]", "timed pass")
    return process
