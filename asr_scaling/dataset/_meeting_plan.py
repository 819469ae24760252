"""Who says what when in a recording that is put together from sentences of several voices.

At most two speak at once, and no voice overlaps itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance

_FRAME, _ACTIVE = SAMPLE_RATE_HZ // 100, 10**-3.5
"""Samples of 10 ms; they are speech where their power is within 35 dB of the loudest 10 ms."""
_LEAST_PAUSE = 0.5
"""Share of the mean pause that every pause lasts; what is added is exponential."""
_BRIEF_S, _LONG_S = 0.3, 1.5
"""Speech that two have in common lasts about as long as this, from and to, where little of it is
asked for."""


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence of one voice.

    begin, end: samples of ``utterance`` between which it is spoken; silence is before and after.
    """

    utterance: Utterance
    begin: int
    end: int

    @classmethod
    def of(cls, utterance: Utterance) -> Sentence:
        """The sentence of ``utterance``, which has one."""
        padded = np.pad(utterance.audio, (0, -utterance.audio.size % _FRAME))
        power = np.mean(np.square(padded.reshape(-1, _FRAME), dtype=np.float64), axis=1)
        spoken = np.flatnonzero(power >= power.max() * _ACTIVE)
        end = min((int(spoken[-1]) + 1) * _FRAME, utterance.audio.size)
        return cls(utterance, int(spoken[0]) * _FRAME, end)

    @property
    def samples(self) -> int:
        """Of what is spoken."""
        return self.end - self.begin

    @cached_property
    def energy(self) -> float:
        """Sum of the squares of what is spoken."""
        spoken = self.utterance.audio[self.begin : self.end].astype(np.float64)
        return float(np.dot(spoken, spoken))


@dataclass(frozen=True, eq=False)
class Placed:
    """A sentence in a recording. ``start``: sample of the recording at which it begins."""

    sentence: Sentence
    start: int

    @property
    def end(self) -> int:
        """The sample after its last."""
        return self.start + self.sentence.samples

    @property
    def first(self) -> int:
        """Sample of the recording where the utterance begins, with the silence before it."""
        return self.start - self.sentence.begin

    @property
    def turn(self) -> Turn:
        """Who says it when."""
        said = self.sentence.utterance
        start_s, end_s = (at / SAMPLE_RATE_HZ for at in (self.start, self.end))
        return Turn(start_s, end_s, said.speaker, said.reference)


@dataclass(frozen=True)
class Plan:
    """How a recording is put together.

    samples: that it lasts.
    speakers: how many voices it has.
    overlap: of the time in which somebody speaks, the share in which two do.
    pause_s: mean seconds between turns that don't overlap.
    """

    samples: int
    speakers: int
    overlap: float
    pause_s: float

    def turns(self, voices: Mapping[str, Sequence[Sentence]], seed: str) -> list[Placed]:
        """The sentences of a recording in the order of their starts, the same for each ``seed``.

        Every voice speaks each of its sentences before it repeats one.

        voices: speaker → sentences, at least as many speakers as it is to have.
        """
        random = random_of(f"{seed}:turns")
        chosen = [sorted(voices)[i] for i in random.permutation(len(voices))[: self.speakers]]
        waiting = {voice: _in_turn(voices[voice], random) for voice in chosen}
        placed: list[Placed] = []
        spoken = common = 0
        for voice in _order(chosen, random):
            sentence = next(waiting[voice])
            shared = self._shared(sentence, placed[-1:], spoken, common, random)
            pause = round(self._pause_s(random) * SAMPLE_RATE_HZ)
            after = placed[-1].end if placed else max(0, sentence.begin - pause)
            now = Placed(sentence, after - shared if shared else after + pause)
            if now.first + sentence.utterance.audio.size > self.samples:
                break
            placed.append(now)
            spoken, common = spoken + sentence.samples - shared, common + shared
        return placed

    def _shared(
        self,
        sentence: Sentence,
        last: Sequence[Placed],
        spoken: int,
        common: int,
        random: np.random.RandomState,
    ) -> int:
        """Samples by which ``sentence`` begins before the last one ends; 0 for a pause.

        Never more than half of either, so that a third one can't be heard.

        spoken, common: samples so far in which somebody speaks, and in which two do.
        """
        least = random.uniform(_BRIEF_S, _LONG_S) * SAMPLE_RATE_HZ
        missing = (self.overlap * (spoken + sentence.samples) - common) / (1 + self.overlap)
        if not last or missing < least:
            return 0
        return min(int(missing), last[0].sentence.samples // 2, sentence.samples // 2)

    def _pause_s(self, random: np.random.RandomState) -> float:
        more = random.exponential()
        return self.pause_s * (_LEAST_PAUSE + (1 - _LEAST_PAUSE) * more)


def random_of(seed: str) -> np.random.RandomState:
    """Random numbers that no version of NumPy changes."""
    words = np.frombuffer(hashlib.sha256(seed.encode()).digest(), "<u4")
    return np.random.RandomState(words)


def _order(voices: Sequence[str], random: np.random.RandomState) -> Iterator[str]:
    """Who speaks, without end: everybody once, then anybody but who spoke last."""
    yield from voices
    last = voices[-1]
    while True:
        others = [voice for voice in voices if voice != last] or voices
        last = others[random.randint(len(others))]
        yield last


def _in_turn(sentences: Sequence[Sentence], random: np.random.RandomState) -> Iterator[Sentence]:
    """All of them in a random order, again and again."""
    while True:
        yield from (sentences[i] for i in random.permutation(len(sentences)))
