"""What a search found, and ``optimise.json``, by which a report and a search that goes on know of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.schema import build, read
from asr_scaling.errors import DataError
from asr_scaling.search.candidates import Entry, Stage
from asr_scaling.search.judge import Gain
from asr_scaling.util.cache import write_atomic

OUTCOME_FILE = "optimise.json"
Kind = Literal["refused", "not installed", "failed", "not tried", "WER"]
"""Why something is no part of the answer: makes no sense here; needs a package; broke; time or promise; too wrong."""


@dataclass(frozen=True)
class Left:
    """What was left out, and the reason in one sentence."""

    entry: Entry
    kind: Kind
    why: str


@dataclass(frozen=True)
class Tried:
    """A way that was measured; ``gain`` against the baseline of the same stage and batch."""

    entry: Entry
    stage: Stage
    gain: Gain


@dataclass(frozen=True)
class Step:
    """One step of the waterfall: ``name`` was added, which gave ``entry``; ``gain`` against the step before."""

    name: str
    entry: Entry
    stage: Stage
    gain: Gain


@dataclass(frozen=True)
class Answer:
    """For calls of ``batch`` utterances. ``winner``: the baseline itself where nothing is better; it may be of a
    smaller batch. ``total``: winner against baseline, measured in ``stage``; ``rounds``: of the final, 0 where there
    was none. ``other``: the fastest way that is not the winner.
    """

    batch: int
    baseline: Entry
    winner: Entry
    total: Gain
    stage: Stage
    rounds: int
    steps: tuple[Step, ...]
    other: Tried | None


@dataclass(frozen=True)
class Outcome:
    """``spent_s``: of ``minutes``, earlier runs of the same search included."""

    minutes: float
    spent_s: float
    max_wer_loss: float
    answers: tuple[Answer, ...]
    tried: tuple[Tried, ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]


@dataclass
class Journal:
    """``seconds``: what each measured point took, by its folder. ``outcome``: None until the search has ended."""

    seconds: dict[str, float] = field(default_factory=dict)
    outcome: Outcome | None = None

    def write(self, folder: Path) -> None:
        """Into ``folder``, whole or not at all."""
        text = json.dumps(signed(asdict(self)), indent=1, ensure_ascii=False)
        write_atomic(folder / OUTCOME_FILE, text.encode())

    @classmethod
    def read(cls, folder: Path) -> Journal | None:
        """The file of ``folder``, None where it has none. DataError when it can't be read."""
        path = folder / OUTCOME_FILE
        if not path.exists():
            return None
        try:
            found = verified(read(path))
            return build(cls, {"seconds": found["seconds"], "outcome": found["outcome"]})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} can't be read ({error}): begin the search anew, without sweep.resume."
            ) from error
