"""A Python of its own, as a user starts it, that asks no hub."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FAST = (
    "engine=fake",
    "profiler=[latency,quality]",
    "pipeline.utterances=4",
    "pipeline.precision=null",
    "pipeline.min_iterations=3",
    "pipeline.warmup_seconds=0",
    "sweep.selftest=false",
)
"""A point that takes milliseconds, stored where the options say."""


def run_python(
    folder: Path,
    arguments: Sequence[str],
    timeout_s: float = 900,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """``python`` with ``arguments`` in ``folder``; what it printed and its exit status."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**(env or os.environ), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
