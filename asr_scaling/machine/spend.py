"""Spends time for fakes: on a processor by computing, on an accelerator by waiting for it."""

from __future__ import annotations

import time


def spend(seconds: float, torch_name: str, accelerated: float = 1.0) -> float:
    """Take ``seconds`` of a core's time on "cpu"; elsewhere the core is free meanwhile.

    accelerated: how many times as fast it is elsewhere.
    Returns the seconds for which an accelerator was occupied.
    """
    if torch_name != "cpu":
        time.sleep(seconds / accelerated)
        return seconds / accelerated
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return 0.0
