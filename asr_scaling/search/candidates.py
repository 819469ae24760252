"""What can be measured: ways to run the model, and one measurement of such a way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["search", "semifinal", "final"]
"""Of the search: few calls in the search's own process; of the other two: fresh processes in turn.

The semifinal chooses; the final measures anew what was chosen.
"""


@dataclass(frozen=True)
class Candidate:
    """An engine with optimisations; their order means nothing, so they are kept sorted."""

    engine: str
    optimisations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimisations", tuple(sorted(set(self.optimisations))))

    @property
    def label(self) -> str:
        """ "transformers + int8"."""
        return " + ".join((self.engine, *self.optimisations))

    def plus(self, *names: str) -> Candidate:
        """The same with more optimisations."""
        return Candidate(self.engine, (*self.optimisations, *names))

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
    number: int = 0
    """Of the trials of this entry in this stage: the block of a search, the round of a final."""
    utterances: int | None = None
    """How many are transcribed and scored; None for those that are timed."""
    rank: int = 0
    """Place that the semifinal gave it in the final: 1 is what was chosen; 0 is the baseline."""
