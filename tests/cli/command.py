"""What the command-line tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from offline import FAST

from asr_scaling.core.record import RECORD_FILE, RunRecord

Cli = Callable[..., subprocess.CompletedProcess[str]]
QUICK = (*FAST, "tracking=jsonl")


def records(folder: Path) -> list[RunRecord]:
    """Records below ``folder``, in the order of their paths."""
    return [RunRecord.read(path) for path in sorted(folder.rglob(RECORD_FILE))]
