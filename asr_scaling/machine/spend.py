"""Spends time for fakes: on a processor by computing, on an accelerator by waiting for it."""

from __future__ import annotations

import time


def spend(seconds: float, torch_name: str) -> None:
    """``seconds`` of a core's time on "cpu"; elsewhere the core is free meanwhile."""
    if torch_name != "cpu":
        time.sleep(seconds)
        return
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
