"""What a search found, and ``optimise.json``, where reports and a search that goes on read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.statistics import Interval
from asr_scaling.core.typed_json import build, read
from asr_scaling.core.word_loss import WordLoss
from asr_scaling.errors import DataError
from asr_scaling.search.bench import Kind
from asr_scaling.search.candidates import Entry, Stage
from asr_scaling.search.speedup import Gain
from asr_scaling.util.cache import write_atomic

OUTCOME_FILE = "optimise.json"


@dataclass(frozen=True)
class Left:
    """What was left out, and the reason in one sentence."""

    entry: Entry
    kind: Kind
    why: str


@dataclass(frozen=True)
class Tried:
    """A way to run the model that was measured."""

    entry: Entry
    stage: Stage
    gain: Gain
    """Against the baseline of the same stage and batch."""


@dataclass(frozen=True)
class WaterfallStep:
    """One step from the baseline to the winner."""

    name: str
    """What was added."""
    entry: Entry
    """What it gave."""
    stage: Stage
    gain: Gain
    """Against the step before."""


@dataclass(frozen=True)
class Rival:
    """What was faster than the winner in the final, and whose WER is not decided by its words."""

    entry: Entry
    gain: Gain
    """Against the winner."""
    over_baseline: Gain
    """Against the baseline, whose WER decides."""
    words_needed: int | None
    """About how many words would decide; None where no number can be named."""


@dataclass(frozen=True)
class Answer:
    """What is fastest for calls of ``batch`` utterances."""

    batch: int
    baseline: Entry
    winner: Entry
    """The baseline itself where nothing is better."""
    total: Gain
    """The winner against the baseline, measured in ``stage``."""
    stage: Stage
    rounds: int
    """Of the final, each a process of its own; 0 where there was none."""
    steps: tuple[WaterfallStep, ...]
    """From the baseline to the winner."""
    other: Tried | None
    """The fastest way that is not the winner."""
    undecided: tuple[Rival, ...] = ()
    """Faster than the winner, the fastest first; more words would decide."""
    likely: bool = False
    """Whether the winner's WER is likely to be within what is allowed, and not shown to be."""
    words_needed: int | None = None
    """About how many words would show it then; None where no number can be named."""


@dataclass(frozen=True)
class Outcome:
    """What a search found."""

    minutes: float
    """The time budget."""
    spent_s: float
    """Of it, earlier runs of the same search included."""
    max_wer_loss: float
    """Points of WER that speed was allowed to cost."""
    answers: tuple[Answer, ...]
    tried: tuple[Tried, ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]


@dataclass
class Journal:
    """The content of ``optimise.json``."""

    seconds: dict[str, float] = field(default_factory=dict)
    """What each measured point took, by its folder."""
    outcome: Outcome | None = None
    """None until the search has ended."""

    def write(self, folder: Path) -> None:
        """Into ``folder``, whole or not at all."""
        text = json.dumps(signed(asdict(self)), indent=1, ensure_ascii=False)
        write_atomic(folder / OUTCOME_FILE, text.encode())

    @classmethod
    def read(cls, folder: Path) -> Journal | None:
        """The file of ``folder``, None without one. Raises DataError when it can't be read."""
        path = folder / OUTCOME_FILE
        if not path.exists():
            return None
        try:
            content = _as_now(verified(read(path)))
            return build(cls, {key: content[key] for key in ("seconds", "outcome")})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} can't be read ({error}): begin the search anew, without sweep.resume."
            ) from error


def _as_now(value: Any) -> Any:
    """Content of any version.

    Gains had a noise floor before their intervals held it, and of the loss of WER no more than the
    change, its interval and the words; what is the search was two stages.
    """
    if isinstance(value, list):
        return [_as_now(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    now = {key: _as_now(entry) for key, entry in value.items() if key != "floor"}
    if now.get("stage") in ("alone", "together"):
        now["stage"] = "search"
    if "wer" in now and "factor" in now:
        now["loss"] = _loss(now.pop("wer"), now.pop("wer_interval"), now.pop("words", 0))
    return now


def _loss(change: float | None, interval: Mapping[str, float] | None, words: int) -> Any:
    """A loss of WER of an older version: what such a file says of it, without what it rests on.

    Without an interval it may be anything: the interval is then of all points of WER.
    """
    if change is None:
        return None
    ends = Interval(*((interval["low"], interval["high"]) if interval else (-1.0, 1.0)))
    return asdict(WordLoss(change, ends, ends.high, words, 0, 0, 0, 1.0))
