"""What a search asks of whatever measures for it: a real machine, or a replay of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.speedup import Gain

Kind = Literal["refused", "not installed", "failed", "not tried", "WER"]
"""Why something was left out.

It makes no sense here, needs a package, failed, was not worth the time, or errs too much.
"""


@dataclass(frozen=True)
class Observed:
    """What one trial gave."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """Call (the ids of its utterances, joined) → mean seconds of its timed calls.

    All trials of a stage at one batch size time the same utterances, in the same calls unless the
    entry regroups them.
    """
    words: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Utterance → its word errors and the words of its reference; empty where no WER is known."""
    took_s: float = 0.0
    """Wall seconds of the whole trial: start, loading, warm-up, timed calls, scoring."""
    calls_s: float = 0.0
    """Of those, seconds inside calls of the engine: warm-up, timed and scored."""
    compile_s: float = 0.0
    """Of those, seconds spent compiling."""
    problem: str = ""
    """Why nothing was measured, in one sentence; empty where it was."""


class Bench(Protocol):
    """What measures for a search."""

    @property
    def spent_s(self) -> float:
        """Wall time so far in seconds, earlier runs of the same search included."""
        ...

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """Why ``entry`` can't be measured here; None when it seems that it can. Loads nothing."""
        ...

    def resolved(self, candidate: Candidate) -> Candidate:
        """The candidate with the optimisations that its own need beside them. Loads nothing."""
        ...

    def regroups(self, entry: Entry) -> bool:
        """Whether it changes which utterances share a batch, which one batch shows nothing of.

        Loads nothing; False for what is refused.
        """
        ...

    def measure(self, trial: Trial) -> Observed:
        """Measure it, or return what was measured before; a failure is an answer too."""
        ...

    def gain(self, base: Entry, entry: Entry, stage: Stage) -> Gain | None:
        """``entry`` over ``base`` by all trials of ``stage`` so far; None where one has none."""
        ...
