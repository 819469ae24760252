"""One call after another: what the timed pass measures, and nothing besides."""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings


@dataclass(frozen=True)
class Calls:
    """One call after another: no requests arrive."""

    name: str = field(default="scenario", init=False)
    phase: Phase = field(default="loaded", init=False)

    def measure(self, session: Session) -> Findings:
        """Nothing: the timed pass has measured it."""
        return Findings()
