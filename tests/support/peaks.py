"""The most memory that a process of its own had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_REPORT = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(int(line.split()[1]) * 1024)
"""
"""Not ``getrusage``: there a new process begins with the peak of the one that started it."""


def most_memory(*lines: str) -> int:
    """Bytes that a Python which runs ``lines`` had in memory at its peak. Linux only."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines) + _REPORT],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
