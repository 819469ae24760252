"""What measures: a measurement, the session it is given, and a watch on the timed pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from asr_scaling.core.cautions import Caution
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports.engine import Device, Engine, NullProbe, Probe, System, Transcription
from asr_scaling.core.ports.progress import Progress
from asr_scaling.core.ports.serving import HERE, Serving
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import AudioBatch, Workload

Phase = Literal["timed", "disturbing", "final", "loaded"]
PHASES: tuple[Phase, ...] = ("timed", "disturbing", "final", "loaded")
"""In the order in which measurements are taken."""


class Watch(Protocol):
    """What a measurement reads beside the timed pass: counters that run anyway, between calls."""

    def begin(self) -> None:
        """The timed pass begins now."""

    def after(self, batch: AudioBatch) -> None:
        """A timed call on ``batch`` has just ended."""

    def beside(self, seconds: float) -> None:
        """So many seconds have just gone into something else than calls, which must not pay."""

    def close(self) -> None:
        """Give everything back. May be called twice."""


@runtime_checkable
class Watcher(Protocol):
    """A measurement that also watches the idle machine and the timed pass."""

    def watch(self, device: Device) -> Watch:
        """Look at the idle machine, before anything is loaded.

        ``Session.watches`` has what this returns.
        """


@runtime_checkable
class Meter(Protocol):
    """A watch that can also tell the energy of any stretch of time, its idle moments included."""

    def begin(self) -> None:
        """A stretch begins now."""

    def spent_j(self) -> float | str:
        """Joules of what counts, since ``begin`` or the last call; or one sentence why not."""

    def reservations(self, watts: float) -> tuple[Caution, ...]:
        """What must stand beside its joules, which are of so many ``watts``."""


@dataclass
class Session:
    """What measurements are given: a loaded system, its workload, and what was measured so far.

    ``besides``: batches of further utterances, whose texts alone are scored.
    ``watches``: measurement → its watch on the timed pass.
    ``device_peak_bytes``: of the accelerator over warm-up and timed pass, without what the
        metronome holds; None without one.
    ``warmup``: the calls before the timed pass.
    ``samples``: the calls of the timed pass.
    ``beats``: the machine's state between them.
    ``values``: metric → value, of the measurements that are done.
    ``hypotheses``: utterance id → text of its first call.
    ``processed_s``: utterance id → seconds of audio processed in its first call.
    ``languages``: utterance id → language that its first call transcribed it in, where it tells.
    ``decoded``: utterance id → temperature of the text of its first call, and how often it was
    decoded; only of engines that tell.
    ``turns``: utterance id → what its first call found: who said what when; only of cascades that
    tell.
    ``engine_s``: seconds spent in all calls.
    ``serving``: how requests that arrive become calls.
    ``called``: the system in a few words, for cautions.
    ``kept``: the system was loaded for an earlier point and has made calls.
    ``texts``: utterance ids of a batch → texts of its first call.
    ``repeated``: ids of utterances that were transcribed in the same batch again.
    ``differing``: those of them whose text was another one.
    """

    model: ModelSpec
    system: System
    device: Device
    workload: Workload
    batches: tuple[AudioBatch, ...]
    folder: Path
    progress: Progress
    watches: Mapping[str, Watch] = field(default_factory=dict)
    device_peak_bytes: int | None = None
    warmup: list[Sample] = field(default_factory=list)
    samples: tuple[Sample, ...] = ()
    beats: tuple[Beat, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    hypotheses: dict[str, str] = field(default_factory=dict)
    processed_s: dict[str, float] = field(default_factory=dict)
    languages: dict[str, str] = field(default_factory=dict)
    decoded: dict[str, tuple[float, int]] = field(default_factory=dict)
    turns: dict[str, tuple[Turn, ...]] = field(default_factory=dict)
    engine_s: float = 0.0
    kept: bool = False
    engine: Engine | None = None
    serving: Serving = HERE
    called: str = "the system"
    texts: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    differing: set[str] = field(default_factory=set)
    besides: tuple[AudioBatch, ...] = ()

    def transcribe(
        self, batch: AudioBatch, probe: Probe | None = None, *, keep: bool = True
    ) -> Transcription:
        """One call of the system.

        Its texts are kept for the quality measurement and compared with those of the same input,
        unless ``keep`` is false: of a batch that is none of the workload.
        """
        start = time.perf_counter()
        result = self.system.transcribe(batch, probe or NullProbe())
        self.engine_s += time.perf_counter() - start
        if not keep:
            return result
        for utterance, text, seconds in zip(
            batch.utterances, result.texts, result.audio_s, strict=True
        ):
            self.hypotheses.setdefault(utterance.id, text)
            self.processed_s.setdefault(utterance.id, seconds)
        ids = tuple(u.id for u in batch.utterances)
        self.languages = dict(zip(ids, result.languages, strict=False)) | self.languages
        self.turns = dict(zip(ids, result.turns, strict=False)) | self.turns
        for told in zip(ids, result.temperatures, result.decodings, strict=False):
            self.decoded.setdefault(told[0], told[1:])
        if ids in self.texts:
            self.repeated.update(ids)
            pairs = zip(ids, self.texts[ids], result.texts, strict=True)
            self.differing.update(key for key, before, now in pairs if before != now)
        else:
            self.texts[ids] = result.texts
        return result

    @property
    def largest(self) -> AudioBatch:
        """The batch with most audio once padded: the one that needs most memory."""
        return max(self.batches, key=lambda batch: batch.padded_s)

    @property
    def cheapest(self) -> AudioBatch:
        """As many of the shortest utterance as a batch has: what warms up in the least time."""
        shortest = min(self.workload.utterances, key=lambda utterance: utterance.duration_s)
        return AudioBatch((shortest,) * len(self.batches[0]))


class Measurement(Protocol):
    """One kind of figure.

    ``phase``: "timed" reads what the timed pass left, with at most a few calls more of its kind;
    "disturbing" runs passes of its own after that; "final" may transcribe what is still left;
    "loaded" serves the system to requests that arrive.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def phase(self) -> Phase: ...  # noqa: D102

    def measure(self, session: Session) -> Findings:
        """Metrics, artifacts and cautions; what can't be measured is unavailable, with a reason."""
