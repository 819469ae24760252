"""Speech of one exact length, made by joining whole utterances with silence; none is ever cut.

A cut word that stays in the reference would count as an error of the model. A fragment's reference
is therefore the references of the utterances in it, in their order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from asr_scaling.core.option_checks import must_work
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance
from asr_scaling.dataset._audio_checks import doubts_of
from asr_scaling.errors import DataError

WAITING = 64
"""Utterances held to choose from when a gap is filled. More of them make fuller fragments."""
MIN_SPEECH = 0.5
"""The last fragment is dropped when its share of speech is smaller, unless it is the only one."""


@dataclass(frozen=True)
class Shape:
    """How a dataset becomes a workload.

    length_s: seconds of every fragment, None for utterances as they are.
    seed: of the order in which utterances are taken.
    silence_s: seconds of the shortest silence between two utterances of a fragment.

    Raises ConfigError for values that can't work.
    """

    length_s: float | None = None
    seed: int = 42
    silence_s: float = 0.2

    def __post_init__(self) -> None:
        length_s, silence_s = self.length_s, self.silence_s
        fits = length_s is None or (is_number(length_s) and 0 < length_s <= 4 * 3600)
        remedy = "give seconds above 0 and up to 14400, or null for natural lengths"
        must_work("dataset.length_s", length_s, fits, remedy)
        whole = is_whole(self.seed, least=0)
        must_work("dataset.seed", self.seed, whole, "give a whole number from 0 upwards")
        brief = is_number(silence_s) and 0 <= silence_s <= 60
        must_work("dataset.silence_s", silence_s, brief, "give seconds from 0 to 60")

    @property
    def samples(self) -> int:
        """Samples in every fragment; 0 when lengths are natural."""
        return max(1, round(self.length_s * SAMPLE_RATE_HZ)) if self.length_s is not None else 0

    @property
    def gap(self) -> int:
        """Samples of silence that must lie between two utterances."""
        return round(self.silence_s * SAMPLE_RATE_HZ)


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite number, which True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object, least: int) -> bool:
    """Whether ``value`` is a whole number from ``least`` upwards, which True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def fragments(
    stream: Iterable[Utterance], shape: Shape, name: str, limit: int | None, left_out: Counter[str]
) -> tuple[list[Utterance], float]:
    """At most ``limit`` fragments, and the seconds of silence that were added to all of them.

    Each has exactly ``shape.samples`` samples and is named ``name-<length>s-<number>``. A smaller
    ``limit`` gives the same first fragments. Each utterance is used at most once.

    stream: shuffled utterances, read only as far as needed.
    left_out: is increased by the utterances that were read and not used, by reason.

    Raises DataError when not one fragment can be made.
    """
    joined, silence = [], 0
    for number, group in enumerate(_groups(stream, shape, limit, left_out)):
        silence += shape.samples - _speech(group)
        speakers = {utterance.speaker for utterance in group}
        languages = {utterance.language for utterance in group}
        joined.append(
            Utterance(
                id=f"{name}-{shape.length_s:g}s-{number:04d}",
                audio=_join(group, shape),
                reference=" ".join(u.reference for u in group if u.reference),
                speaker=speakers.pop() if len(speakers) == 1 else None,
                parts=tuple(utterance.id for utterance in group),
                doubts=tuple(dict.fromkeys(kind for part in group for kind in doubts_of(part))),
                language=languages.pop() if len(languages) == 1 else None,
            )
        )
    if not joined:
        raise DataError(
            f"No utterance of '{name}' fits into {shape.length_s:g} s ({sum(left_out.values())} "
            "left out); raise dataset.length_s or set it to null."
        )
    return joined, silence / SAMPLE_RATE_HZ


def _speech(group: Iterable[Utterance]) -> int:
    """Number of samples of speech."""
    return sum(utterance.audio.size for utterance in group)


def _groups(
    stream: Iterable[Utterance], shape: Shape, limit: int | None, left_out: Counter[str]
) -> Iterator[list[Utterance]]:
    """The utterances of one fragment after the other."""
    source = iter(stream)
    waiting: list[Utterance] = []
    made = 0
    while limit is None or made < limit:
        while len(waiting) < WAITING and (utterance := next(source, None)) is not None:
            if utterance.audio.size > shape.samples:
                left_out[f"longer than {shape.length_s:g} s"] += 1
            else:
                waiting.append(utterance)
        if not waiting:
            return
        group = _fill(waiting, shape)
        if made and not waiting and _speech(group) < MIN_SPEECH * shape.samples:
            left_out["too little speech left for a last fragment"] += len(group)
            return
        yield group
        made += 1


def _fill(waiting: list[Utterance], shape: Shape) -> list[Utterance]:
    """Take the utterances of one fragment out of ``waiting``.

    They are taken in order while the next one fits, then by what leaves the least silence. Taking
    the best fit from the start would use the longest utterances first, which makes a biased
    sample where ``limit`` stops early.
    """
    group = [waiting.pop(0)]
    room = shape.samples - group[0].audio.size - shape.gap
    while waiting and waiting[0].audio.size <= room:
        group.append(waiting.pop(0))
        room -= group[-1].audio.size + shape.gap
    while fitting := [i for i, utterance in enumerate(waiting) if utterance.audio.size <= room]:
        group.append(waiting.pop(max(fitting, key=lambda i: waiting[i].audio.size)))
        room -= group[-1].audio.size + shape.gap
    return group


def _join(group: list[Utterance], shape: Shape) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Join the utterances, each followed by an equal part of the silence, at least the gap."""
    audio = np.zeros(shape.samples, np.float32)
    between = max(shape.gap, (shape.samples - _speech(group)) // len(group))
    start = 0
    for utterance in group:
        audio[start : start + utterance.audio.size] = utterance.audio
        start += utterance.audio.size + between
    return audio
