"""What can be measured: ways to run the model, and one measurement of such a way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["alone", "together", "final"]


@dataclass(frozen=True)
class Candidate:
    """An engine with optimisations, in the order in which they are applied."""

    engine: str
    optimisations: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """ "transformers + int8"."""
        return " + ".join((self.engine, *self.optimisations))

    def without(self, name: str) -> Candidate:
        """The same without one of its optimisations."""
        return Candidate(self.engine, tuple(other for other in self.optimisations if other != name))


@dataclass(frozen=True)
class Entry:
    """A candidate at a batch size."""

    candidate: Candidate
    batch: int

    @property
    def label(self) -> str:
        """ "transformers + int8 at batch 16"."""
        return f"{self.candidate.label} at batch {self.batch}"


@dataclass(frozen=True)
class Trial:
    """One measurement."""

    entry: Entry
    stage: Stage
    round: int | None = None
    """Of the final; None elsewhere."""
