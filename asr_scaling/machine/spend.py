"""Spends time for fakes: on a processor by computing, on an accelerator by waiting for it."""

from __future__ import annotations

import time

from asr_scaling.core.ports import SystemFacts


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


class FakeModule:
    """A module of a cascade that takes time and computes next to nothing.

    name: as in "vad=fake".
    torch_name: where it is loaded.
    accelerated: how many times as fast it is elsewhere than on the processor.
    """

    moved_bytes = 0

    def __init__(self, name: str, torch_name: str, accelerated: float) -> None:
        self.facts = SystemFacts("fake", name, 0, 0, "none")
        self.device_s = 0.0
        self._torch_name, self._accelerated = torch_name, accelerated

    def take(self, seconds: float) -> None:
        """So many seconds of the processor's time, or fewer of an accelerator's."""
        self.device_s += spend(seconds, self._torch_name, self._accelerated)

    def close(self) -> None:
        """Nothing to give back."""
