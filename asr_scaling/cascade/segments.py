"""Recordings, cut into segments by voice activity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr_scaling.cascade.ledger import Ledger
from asr_scaling.core.module_use import VAD
from asr_scaling.core.ports import VoiceActivity
from asr_scaling.core.turns import speech_of, text_of
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, Utterance
from asr_scaling.util.mapped import release

_SHORTEST_S = 0.05
"""A shorter stretch has no word."""
_AT_END_S = 0.3
"""Speech that ends so close to the end of a block may go on in the next one."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording.

    recording: place of the recording in its batch.
    start_s: seconds from the beginning of the recording.
    utterance: what is recognised; its audio is a view of the recording's.
    """

    recording: int
    start_s: float
    utterance: Utterance

    @property
    def end_s(self) -> float:
        """Seconds from the beginning of the recording to the segment's end."""
        return self.start_s + self.utterance.duration_s


def whole(batch: AudioBatch) -> list[Segment]:
    """Each recording of the batch as one segment."""
    return [Segment(place, 0.0, recording) for place, recording in enumerate(batch.utterances)]


@dataclass(frozen=True)
class Cutter:
    """Cuts recordings where nobody speaks.

    vad: finds speech.
    device: where it computes, as "cpu" or "cuda:0".
    block_s: seconds of a recording that it is given at once.
    longest_s: seconds of the longest segment; longer stretches are cut into equal parts.
    merge_s: neighbouring stretches that last no longer together, with the pauses between them, are
    one segment; 0 leaves each alone.
    """

    vad: VoiceActivity
    device: str
    block_s: float
    longest_s: float
    merge_s: float = 0.0

    def groups(self, batch: AudioBatch, ledger: Ledger) -> Iterator[list[Segment]]:
        """The segments of each block of each recording, in order."""
        for place, recording in enumerate(batch.utterances):
            found = 0
            for stretches in self._blocks(recording, ledger):
                with ledger.work(VAD, self.device, 0):
                    merged = _merged(stretches, self.merge_s)
                    parts = [part for stretch in merged for part in self._parts(*stretch)]
                    segments = [
                        _segment(place, recording, found + number, part)
                        for number, part in enumerate(parts)
                    ]
                    found += len(segments)
                    release(recording.audio)
                yield segments

    def _blocks(self, recording: Utterance, ledger: Ledger) -> Iterator[list[tuple[float, float]]]:
        """Stretches of speech, in seconds of the recording, block by block.

        Speech that a block ends in is left to the next block, which then begins with it.
        """
        at, samples = 0, recording.audio.size
        block = max(1, round(self.block_s * SAMPLE_RATE_HZ))
        while at < samples:
            audio = recording.audio[at : at + block]
            with ledger.work(VAD, self.device, 1):
                found = list(self.vad.speech(audio))
            start_s, length_s = at / SAMPLE_RATE_HZ, audio.size / SAMPLE_RATE_HZ
            if self.vad.facts.random:
                found = _stated(recording, start_s, start_s + length_s)
            at += audio.size
            if at < samples and found and found[-1][1] > length_s - _AT_END_S and found[-1][0] > 0:
                at = round((start_s + found.pop()[0]) * SAMPLE_RATE_HZ)
            yield [(start_s + first, start_s + last) for first, last in found]

    def _parts(self, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """A stretch, in equal parts where it is too long for one segment."""
        if end_s - start_s < _SHORTEST_S:
            return []
        count = math.ceil((end_s - start_s) / self.longest_s)
        part_s = (end_s - start_s) / count
        return [(start_s + i * part_s, start_s + (i + 1) * part_s) for i in range(count)]


def _merged(stretches: Sequence[tuple[float, float]], merge_s: float) -> list[tuple[float, float]]:
    """Neighbouring stretches as one, of up to ``merge_s`` seconds."""
    found: list[tuple[float, float]] = []
    for start_s, end_s in stretches:
        if found and end_s - found[-1][0] <= merge_s:
            found[-1] = (found[-1][0], end_s)
        else:
            found.append((start_s, end_s))
    return found


def _stated(recording: Utterance, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Where somebody speaks between two times, by the reference, in seconds from the first.

    All of it where the dataset does not state it.
    """
    stretches: Sequence[tuple[float, float]] = speech_of(recording.turns) or ((start_s, end_s),)
    inside = [(max(a, start_s), min(b, end_s)) for a, b in stretches if a < end_s and b > start_s]
    return [(a - start_s, b - start_s) for a, b in inside]


def _segment(place: int, recording: Utterance, number: int, part: tuple[float, float]) -> Segment:
    """The segment between the two times of ``part``, with what is said in it where it is stated."""
    first, last = (round(time_s * SAMPLE_RATE_HZ) for time_s in part)
    start_s = first / SAMPLE_RATE_HZ
    said = [
        turn for turn in recording.turns if part[0] <= (turn.start_s + turn.end_s) / 2 < part[1]
    ]
    utterance = Utterance(
        f"{recording.id}#{number}",
        recording.audio[first:last],
        text_of(said),
        language=recording.language,
    )
    return Segment(place, start_s, utterance)
