"""What a search found, and ``optimise.json``, by which a report and a search that goes on know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import DataError
from asr_scaling.search.candidates import Candidate, Entry, Stage
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
    steps: tuple[Step, ...] = ()
    other: Tried | None = None


@dataclass(frozen=True)
class Outcome:
    """``spent_s``: of ``minutes``, earlier runs of the same search included."""

    minutes: float
    spent_s: float
    max_wer_loss: float
    answers: tuple[Answer, ...] = ()
    tried: tuple[Tried, ...] = ()
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Journal:
    """``seconds``: what each measured point took, by its folder. ``outcome``: None until the search has ended."""

    seconds: dict[str, float] = field(default_factory=dict)
    outcome: Outcome | None = None

    def write(self, folder: Path) -> None:
        """Into ``folder``, whole or not at all."""
        found = {"seconds": self.seconds, "outcome": asdict(self.outcome) if self.outcome else None}
        write_atomic(
            folder / OUTCOME_FILE, json.dumps(signed(found), indent=1, ensure_ascii=False).encode()
        )

    @classmethod
    def read(cls, folder: Path) -> Journal | None:
        """The file of ``folder``, None where it has none. DataError when it can't be read."""
        path = folder / OUTCOME_FILE
        if not path.exists():
            return None
        try:
            data = verified(json.loads(path.read_text(encoding="utf-8")))
            outcome = data["outcome"] and _outcome(data["outcome"])
            return cls({str(key): float(value) for key, value in data["seconds"].items()}, outcome)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path} can't be read ({error}): begin the search anew, without sweep.resume."
            ) from error


def _outcome(data: Mapping[str, Any]) -> Outcome:
    lists = {
        "answers": tuple(_answer(row) for row in data["answers"]),
        "tried": tuple(_tried(row) for row in data["tried"]),
        "left": tuple(Left(**{**row, "entry": _entry(row["entry"])}) for row in data["left"]),
        "notes": tuple(data["notes"]),
    }
    return Outcome(**{**data, **lists})


def _answer(row: Mapping[str, Any]) -> Answer:
    parts = {
        "baseline": _entry(row["baseline"]),
        "winner": _entry(row["winner"]),
        "total": _gain(row["total"]),
        "steps": tuple(
            Step(**{**s, "entry": _entry(s["entry"]), "gain": _gain(s["gain"])})
            for s in row["steps"]
        ),
        "other": row["other"] and _tried(row["other"]),
    }
    return Answer(**{**row, **parts})


def _tried(row: Mapping[str, Any]) -> Tried:
    return Tried(_entry(row["entry"]), row["stage"], _gain(row["gain"]))


def _entry(row: Mapping[str, Any]) -> Entry:
    found = row["candidate"]
    return Entry(Candidate(found["engine"], tuple(found["optimisations"])), row["batch"])


def _gain(row: Mapping[str, Any]) -> Gain:
    intervals = {name: row[name] and Interval(**row[name]) for name in ("interval", "wer_interval")}
    return Gain(**{**row, **intervals})
