"""What each module does with segments and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asr_scaling.cascade.ledger import Ledger
from asr_scaling.cascade.segments import Segment
from asr_scaling.cascade.who_spoke import Window, windows
from asr_scaling.core.module_use import PUNCTUATION, RECOGNITION, SPEAKER
from asr_scaling.core.ports import (
    Batching,
    Device,
    Probe,
    Punctuation,
    Speaker,
    System,
    Transcription,
)
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, each_once
from asr_scaling.machine.memory import HeapGuard
from asr_scaling.util.mapped import release


@dataclass(frozen=True)
class Said:
    """A segment and what recognition made of it; ``lost_s`` seconds of it were not read."""

    segment: Segment
    text: str
    tokens: int
    language: str | None
    lost_s: float


@dataclass
class Recogniser:
    """Turns segments into texts.

    batching: how segments become batches; None for one batch of all, in their order.
    heap: keeps long recordings from growing the process.
    steps, again: of all calls so far, as in ``Transcription``.
    device_s: seconds for which it has occupied an accelerator; 0 without one.
    audio_s: seconds of audio in all batches so far; padded_s: with each batch's padding.
    """

    system: System
    device: Device
    batching: Batching | None
    heap: HeapGuard
    steps: int = 0
    again: int = 0
    device_s: float = 0.0
    audio_s: float = 0.0
    padded_s: float = 0.0

    @property
    def padding_share(self) -> float | None:
        """Share of the audio so far that is padding; None before there was any."""
        return 1 - self.audio_s / self.padded_s if self.padded_s else None

    def said(self, segments: Sequence[Segment], probe: Probe, ledger: Ledger) -> list[Said]:
        """What is said in each of the segments, in their order."""
        if self.batching is None:
            return self._batch(segments, probe, ledger)
        by_id = {segment.utterance.id: segment for segment in segments}
        utterances = [segment.utterance for segment in segments]
        done: dict[str, Said] = {}
        for batch in each_once(self.batching.batches(utterances) if utterances else ()):
            ids = [utterance.id for utterance in batch.utterances]
            results = self._batch([by_id[key] for key in ids], probe, ledger)
            done |= dict(zip(ids, results, strict=True))
        return [done[segment.utterance.id] for segment in segments]

    def _batch(self, segments: Sequence[Segment], probe: Probe, ledger: Ledger) -> list[Said]:
        batch = AudioBatch(tuple(segment.utterance for segment in segments))
        marks = [self.device.mark()]
        with ledger.work(RECOGNITION, self.device.torch_name, len(batch)):
            result = self.system.transcribe(batch, probe)
            marks.append(self.device.mark())
            if self.device.kind != "cpu":
                self.device_s += self.device.seconds(marks)[-1]
            for segment in segments:
                release(segment.utterance.audio)
            self.heap.look()
        self.audio_s += batch.audio_s
        self.padded_s += batch.padded_s
        self.steps += result.steps
        self.again += result.again
        return _said(segments, result)


def _said(segments: Sequence[Segment], result: Transcription) -> list[Said]:
    languages: Sequence[str | None] = result.languages or (None,) * len(segments)
    rows = zip(segments, result.texts, result.tokens, languages, result.audio_s, strict=True)
    return [
        Said(segment, text, tokens, language, max(0.0, segment.utterance.duration_s - audio_s))
        for segment, text, tokens, language, audio_s in rows
    ]


@dataclass(frozen=True)
class Restorer:
    """Adds marks and capital letters, ``batch`` texts at once. ``device``: where it computes."""

    punctuation: Punctuation
    device: str
    batch: int

    def restored(self, texts: Sequence[str], ledger: Ledger) -> list[str]:
        """The texts as they are shown; as they were where the weights are random."""
        done: list[str] = []
        for start in range(0, len(texts), self.batch):
            given = texts[start : start + self.batch]
            with ledger.work(PUNCTUATION, self.device, len(given)):
                found = list(self.punctuation.restored(given))
            done += given if self.punctuation.facts.random else found
        return done


@dataclass
class Listener:
    """Makes an embedding of each window of each segment of a call, ``batch`` windows at once.

    device: where it computes.
    heard: windows so far, each with the segment that it is in.
    """

    speaker: Speaker
    device: str
    batch: int
    heard: list[tuple[Segment, Window]] = field(default_factory=list)
    _found: list[NDArray[np.float32]] = field(default_factory=list)

    def hear(self, segments: Sequence[Segment], ledger: Ledger) -> None:
        """Take in the voices in ``segments``."""
        new = [
            (segment, window)
            for segment in segments
            for window in windows(
                segment.utterance.duration_s, self.speaker.window_s, self.speaker.hop_s
            )
        ]
        for start in range(0, len(new), self.batch):
            audio = [_samples(*where) for where in new[start : start + self.batch]]
            with ledger.work(SPEAKER, self.device, len(audio)):
                self._found.append(self.speaker.embeddings(audio))
                release(audio[0])
        self.heard += new

    def voices(self, recordings: int, ledger: Ledger) -> dict[str, list[tuple[Window, int]]]:
        """Id of each segment → its windows, each with the number of the speaker in its recording.

        Empty where the weights are random: then voices can't be told apart.
        """
        found: dict[str, list[tuple[Window, int]]] = {}
        if not self.heard:
            return found
        embeddings = np.concatenate(self._found)
        for recording in range(recordings):
            own = [i for i, (segment, _) in enumerate(self.heard) if segment.recording == recording]
            if not own:
                continue
            with ledger.work(SPEAKER, self.device, 0):
                numbers = self.speaker.speakers(embeddings[own])
            for place, number in zip(own, numbers, strict=True):
                segment, window = self.heard[place]
                found.setdefault(segment.utterance.id, []).append((window, int(number)))
        return {} if self.speaker.facts.random else found


def _samples(segment: Segment, window: Window) -> NDArray[np.float32]:
    first, last = (round(at * SAMPLE_RATE_HZ) for at in (window.start_s, window.end_s))
    return segment.utterance.audio[first:last]
