"""What a machine's history keeps of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Earlier:
    """Processes that were measured together.

    system: what they measured.
    at: when, in seconds since 1970.
    logs: figure of each process, of one at least: the logarithm of its time.
    speech: names the utterances.
    states: of each process, probe → median of its seconds; empty where it was not read.
    """

    system: str
    at: float
    logs: tuple[float, ...]
    speech: str = ""
    states: tuple[Mapping[str, float], ...] = ()

    @property
    def timed(self) -> str:
        """The system with its speech: what has one usual time."""
        return f"{self.system} {self.speech}"
