"""A loaded cascade: recordings in, texts with their turns and an account of every module out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asr_scaling.cascade.flow import Flow
from asr_scaling.cascade.lane import Lane
from asr_scaling.cascade.ledger import Counted, Ledger
from asr_scaling.cascade.segments import Cutter
from asr_scaling.cascade.stages import Listener, Recogniser, Restorer, Said
from asr_scaling.cascade.who_spoke import turns
from asr_scaling.core.module_use import PUNCTUATION, RECOGNITION, SPEAKER, VAD
from asr_scaling.core.ports import (
    Batching,
    Device,
    Probe,
    System,
    SystemFacts,
    Transcription,
    option_of,
)
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import AudioBatch
from asr_scaling.machine.memory import HeapGuard
from asr_scaling.machine.thread_owners import ThreadOwners


@dataclass(frozen=True)
class Loaded:
    """A module in memory.

    module: what its ``load`` gave.
    device: where it computes, as "cpu" or "cuda:0".
    batch: how many windows or texts it is given at once.
    lane: the thread that it was loaded and works in.
    """

    module: Any
    device: str
    batch: int
    lane: Lane

    def close(self) -> None:
        """Give its memory back and end its thread. May be called twice."""
        self.module.close()
        self.lane.close()


@dataclass(frozen=True)
class Order:
    """How the modules of a cascade work together.

    batching: how segments become batches of recognition; None where recordings aren't cut.
    overlap: modules work at once.
    queue: groups of segments that wait before a module, at most.
    block_s: seconds of a recording that voice activity is given at once.
    longest_s: seconds of the longest segment.
    merge_s: neighbouring stretches of speech up to so many seconds are one segment.
    """

    batching: Batching | None
    overlap: bool
    queue: int
    block_s: float
    longest_s: float
    merge_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As a record keeps it: "batching" is "fixed", "seconds" …, and "batch" its size."""
        batching = self.batching
        seconds = option_of(batching, "seconds")
        return {
            "overlap": self.overlap,
            "queue": self.queue,
            "batching": batching and type(batching).__module__.rpartition(".")[2],
            "batch": None if seconds else option_of(batching, "size"),
            "batch_s": seconds,
        }


@dataclass
class CascadeSystem:
    """Recognition with modules around it.

    The first call has one module work after the other, also where they overlap later: it shows
    which threads work for which module.
    """

    recognition: System
    device: Device
    loaded: Mapping[str, Loaded]
    order: Order
    owners: ThreadOwners
    facts: SystemFacts
    modules: Mapping[str, Any] = field(default_factory=dict)
    _learned: bool = False
    _heap: HeapGuard = field(default_factory=HeapGuard)

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From recordings to texts. Raises as recognition and the modules do."""
        ledger = Ledger(self.owners, learning=not self._learned)
        before = {name: self._told(name) for name in self.loaded}
        recogniser = Recogniser(self.recognition, self.device, self.order.batching, self._heap)
        listener = self._listener()
        flow = Flow(recogniser, self._cutter(), self._restorer(), listener, ledger)
        waits: dict[str, float] = {}
        if self.order.overlap and self._learned:
            probe.stage("cascade")
            said, texts = flow.overlapped(batch, self.order.queue, waits)
        else:
            said, texts = flow.plain(batch, probe)
        voices = {}
        if listener is not None:
            voices = listener[1].run(listener[0].voices, len(batch), ledger)
        found = _turns(len(batch), said, texts, voices)
        counted = {name: self._counted(name, before[name], waits) for name in self.loaded}
        accelerated = recogniser.device_s if self.device.kind != "cpu" else None
        counted[RECOGNITION] = Counted(
            accelerated,
            None if accelerated is not None else 0,
            waits.get(RECOGNITION, 0.0),
            recogniser.padding_share,
        )
        account = ledger.account(counted)
        self._learned = True
        result = _transcription(batch, said, found)
        return replace(result, steps=recogniser.steps, again=recogniser.again, account=account)

    def _cutter(self) -> tuple[Cutter, Lane] | None:
        if (vad := self.loaded.get(VAD)) is None:
            return None
        order = self.order
        cutter = Cutter(vad.module, vad.device, order.block_s, order.longest_s, order.merge_s)
        return cutter, vad.lane

    def _restorer(self) -> tuple[Restorer, Lane] | None:
        if (punctuation := self.loaded.get(PUNCTUATION)) is None:
            return None
        restorer = Restorer(punctuation.module, punctuation.device, punctuation.batch)
        return restorer, punctuation.lane

    def _listener(self) -> tuple[Listener, Lane] | None:
        if (speaker := self.loaded.get(SPEAKER)) is None:
            return None
        return Listener(speaker.module, speaker.device, speaker.batch), speaker.lane

    def _told(self, name: str) -> tuple[float, int]:
        module = self.loaded[name].module
        return module.device_s, module.moved_bytes

    def _counted(self, name: str, before: tuple[float, int], waits: Mapping[str, float]) -> Counted:
        device_s, moved = self._told(name)
        on_cpu = self.loaded[name].device == "cpu"
        occupied = None if on_cpu else device_s - before[0]
        return Counted(occupied, moved - before[1], waits.get(name, 0.0))

    def close(self) -> None:
        """Give all memory back. May be called twice."""
        for loaded in self.loaded.values():
            loaded.close()
        self.recognition.close()


def _turns(
    recordings: int,
    said: Sequence[Said],
    texts: Sequence[str],
    voices: Mapping[str, Any],
) -> list[list[Turn]]:
    """The turns of each recording, in order."""
    found: list[list[Turn]] = [[] for _ in range(recordings)]
    for each, text in zip(said, texts, strict=True):
        own = voices.get(each.segment.utterance.id, ())
        found[each.segment.recording] += turns(each.segment, text, own)
    return [sorted(own, key=lambda turn: (turn.start_s, turn.end_s)) for own in found]


def _transcription(
    batch: AudioBatch, said: Sequence[Said], found: Sequence[Sequence[Turn]]
) -> Transcription:
    """One text a recording, of its segments' in their order."""
    own = [
        [each for each in said if each.segment.recording == place] for place in range(len(batch))
    ]
    languages = [Counter(each.language for each in rows if each.language) for rows in own]
    told = all(languages)
    return Transcription(
        texts=tuple(" ".join(turn.text for turn in rows if turn.text) for rows in found),
        tokens=tuple(sum(each.tokens for each in rows) for rows in own),
        audio_s=tuple(
            recording.duration_s - sum(each.lost_s for each in rows)
            for recording, rows in zip(batch.utterances, own, strict=True)
        ),
        languages=tuple(count.most_common(1)[0][0] or "" for count in languages) if told else (),
        turns=tuple(tuple(rows) for rows in found),
    )
