"""Warm-up → timed pass → the passes that disturb → quality: the order that keeps figures right."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asr_scaling.caution import Caution, timed_pass_cut, truncated_audio
from asr_scaling.errors import ConfigError
from asr_scaling.model.spec import ModelSpec
from asr_scaling.ports import PHASES, Device, Measurement, Probe, Progress, System, Transcription
from asr_scaling.record import Findings, Metric, Sample
from asr_scaling.timing import NullProbe, TimingProbe
from asr_scaling.workload import AudioBatch, Workload

SCOPE = (
    "from mono float32 samples in memory to text on the host, per call, the device synchronised at the end; "
    "reading and decoding audio, batching and loading the model are outside"
)


@dataclass(frozen=True)
class Pipeline:
    """Budgets of a point.

    ``utterances``: at most this many distinct utterances, None for all. ``warmup``: calls before timing.
    The timed pass calls every batch once and goes round until ``min_iterations`` calls are timed; after
    ``max_seconds`` it stops as soon as ``min_iterations`` are done.
    """

    utterances: int | None = 16
    warmup: int = 1
    min_iterations: int = 3
    max_seconds: float = 20.0

    def __post_init__(self) -> None:
        if self.utterances is not None and self.utterances < 1:
            raise ConfigError(f"pipeline.utterances must be at least 1 or null; got {self.utterances}.")
        if self.warmup < 0:
            raise ConfigError(f"pipeline.warmup must be 0 or more calls; got {self.warmup}.")
        if self.min_iterations < 1:
            raise ConfigError(f"pipeline.min_iterations must be at least 1; got {self.min_iterations}.")
        if not self.max_seconds > 0:
            raise ConfigError(f"pipeline.max_seconds must be more than 0; got {self.max_seconds}.")


@dataclass
class Session:
    """A loaded system with its workload: what measurements are given. ``hypotheses``: utterance id → text so far."""

    model: ModelSpec
    system: System
    device: Device
    workload: Workload
    batches: tuple[AudioBatch, ...]
    folder: Path
    progress: Progress
    idle_rss_bytes: int
    first_call_s: float | None = None
    samples: tuple[Sample, ...] = ()
    hypotheses: dict[str, str] = field(default_factory=dict)
    processed_s: dict[str, float] = field(default_factory=dict)
    engine_s: float = 0.0

    def transcribe(self, batch: AudioBatch, probe: Probe | None = None) -> Transcription:
        """One call; its texts are kept for the quality measurement."""
        start = time.perf_counter()
        done = self.system.transcribe(batch, probe or NullProbe())
        self.engine_s += time.perf_counter() - start
        for utterance, text, seconds in zip(batch.utterances, done.texts, done.audio_s, strict=True):
            self.hypotheses.setdefault(utterance.id, text)
            self.processed_s.setdefault(utterance.id, seconds)
        return done

    def timed(self, batch: AudioBatch) -> Sample:
        """One call with its stages timed."""
        probe = TimingProbe(self.device)
        return probe.sample(batch, self.transcribe(batch, probe))

    @property
    def largest(self) -> AudioBatch:
        """The batch with most audio once padded: the one that needs most memory."""
        return max(self.batches, key=lambda batch: batch.padded_s)


Collect = Callable[[str, Findings], None]


def measure(session: Session, pipeline: Pipeline, measurements: Mapping[str, Measurement], collect: Collect) -> None:
    """Run every pass in order; ``collect`` gets the findings of each as soon as they are there."""
    _warm_up(session, pipeline)
    collect("timed pass", Findings(cautions=_timed_pass(session, pipeline)))
    for phase in PHASES:
        for measurement in measurements.values():
            if measurement.phase == phase:
                session.progress.stage(measurement.name)
                collect(measurement.name, measurement.measure(session))
    collect("workload", _processed(session))


def _warm_up(session: Session, pipeline: Pipeline) -> None:
    session.progress.stage("warm-up")
    for i in range(pipeline.warmup):
        sample = session.timed(session.largest)
        session.first_call_s = session.first_call_s or sample.total_s
        session.progress.advance((i + 1) / pipeline.warmup)


def _timed_pass(session: Session, pipeline: Pipeline) -> tuple[Caution, ...]:
    session.progress.stage("timed pass")
    batches = session.batches
    wanted = max(pipeline.min_iterations, len(batches))
    samples: list[Sample] = []
    start = time.perf_counter()
    while len(samples) < wanted:
        samples.append(session.timed(batches[len(samples) % len(batches)]))
        session.samples = tuple(samples)
        session.progress.advance(len(samples) / wanted)
        if time.perf_counter() - start > pipeline.max_seconds and len(samples) >= pipeline.min_iterations:
            break
    if len(samples) < len(batches):
        return (timed_pass_cut(len(samples), len(batches), pipeline.max_seconds),)
    return ()


def _processed(session: Session) -> Findings:
    """Audio given and audio really processed, each distinct utterance that some pass transcribed counted once."""
    given = {u.id: u.duration_s for u in session.workload.utterances if u.id in session.processed_s}
    lost = sum(max(0.0, given[key] - session.processed_s[key]) for key in given)
    metrics = (
        Metric("workload/audio_s", sum(given.values()), len(given)),
        Metric("workload/processed_audio_s", sum(session.processed_s[key] for key in given), len(given)),
    )
    return Findings(metrics, cautions=(truncated_audio(lost),) if lost > 0.05 else ())
