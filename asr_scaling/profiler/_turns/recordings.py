"""A recording with the turns of its reference and those found, and ratios over recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import Interval, ratio_interval
from asr_scaling.core.turns import Turn
from asr_scaling.core.word_loss import by_original

Part = tuple[str, float, float]
"""A recording's id, and what it adds to the numerator and to the denominator of a ratio."""
_NO_WIDTH = 1e-9
"""An interval that is narrower comes from recordings that have all the same ratio."""


@dataclass(frozen=True)
class Recording:
    """Who spoke when and what was said: by the reference, and as a system found it.

    id: of the utterance.
    audio_s: seconds of the recording.
    reference: turns of the reference; empty where the dataset does not tell.
    found: turns that the system found.
    text: all that is said, by the reference.
    heard: all that is said, as the system found it.
    language: a code, as ``core/language.py`` gives it; None where nobody states it.
    """

    id: str
    audio_s: float
    reference: tuple[Turn, ...] = ()
    found: tuple[Turn, ...] = ()
    text: str = ""
    heard: str = ""
    language: str | None = None

    @property
    def names_speakers(self) -> bool:
        """Whether the reference names the speaker of each of its turns."""
        return all(turn.speaker is not None for turn in self.reference)


def inside(turns: Iterable[Turn], audio_s: float) -> list[Turn]:
    """The turns as far as they are in a recording of ``audio_s`` seconds."""
    begun = (turn for turn in turns if turn.start_s < audio_s)
    return [replace(turn, end_s=min(turn.end_s, audio_s)) for turn in begun]


def by_speaker(turns: Iterable[Turn]) -> list[list[Turn]]:
    """The turns of each speaker, in the order in which the speakers first appear in ``turns``.

    Turns whose speaker is not known are taken for those of one speaker more.
    """
    own: dict[str | None, list[Turn]] = {}
    for turn in turns:
        own.setdefault(turn.speaker, []).append(turn)
    return list(own.values())


def ratio(name: str, parts: Sequence[Part], why: str, most: float = math.inf) -> Metric | str:
    """The sum of the numerators over that of the denominators, with its interval.

    name: of the metric.
    why: what is returned where the denominators are 0 in all.
    most: the largest value that the ratio can have.

    The interval is Student's, of a ratio over independent recordings (``ratio_interval``), cut to
    what the ratio can be. A recording and its copies are one. There is none for fewer than three
    recordings, nor where all have the same ratio: an interval without width would promise too much.
    """
    whole = math.fsum(below for _, _, below in parts)
    if not whole:
        return why
    value = math.fsum(above for _, above, _ in parts) / whole
    return Metric(name, value, len(parts), _interval(parts, most))


def _interval(parts: Sequence[Part], most: float) -> Interval | None:
    sums = by_original((recording, (above, below)) for recording, above, below in parts)
    found = ratio_interval(*zip(*sums.values(), strict=True))
    if found is None or found.high - found.low < _NO_WIDTH:
        return None
    return Interval(max(0.0, found.low), min(most, found.high))
