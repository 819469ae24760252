"""What the command-line tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from asr_scaling.record import RECORD_FILE, RunRecord

Cli = Callable[..., subprocess.CompletedProcess[str]]
QUICK = (
    "engine=fake",
    "tracking=jsonl",
    "profiler=[latency,quality]",
    "pipeline.utterances=4",
    "pipeline.precision=null",
    "pipeline.min_iterations=3",
    "pipeline.warmup_seconds=0",
    "sweep.selftest=false",
)
"""A point that takes milliseconds."""


def records(folder: Path) -> list[RunRecord]:
    """Records below ``folder``, in the order of their paths."""
    return [RunRecord.read(path) for path in sorted(folder.rglob(RECORD_FILE))]
