"""A clock that moves only when told, and everything a job needs on top of it:
exact arithmetic for every test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import (
    NullProgress,
    Phase,
    Probe,
    Session,
    SystemFacts,
    SystemSpec,
    Transcription,
)
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, DatasetInfo, Utterance, Workload
from asr_scaling.engine.fake import Fake
from asr_scaling.measure.job import Job
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.latency import Latency


class FakeClock:
    """Whole nanoseconds, so that nothing is lost in sums."""

    def __init__(self) -> None:
        self.ns = 0

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)

    def perf_counter(self) -> float:
        return self.ns / 1e9

    def as_time(self) -> SimpleNamespace:
        """A stand-in for the module ``time``."""
        return SimpleNamespace(
            perf_counter=self.perf_counter, time=self.perf_counter, sleep=self.sleep
        )


class Listener:
    """A probe that writes down what it is told."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def stage(self, name: str) -> None:
        self.log.append(name)

    def token(self) -> None:
        self.log.append("token")

    @property
    def stages(self) -> list[str]:
        return [name for name in self.log if name != "token"]


class FakeMemory:
    """An accelerator's meter that says what it is told; None for a device without memory."""

    def __init__(self, peak: int | None = None) -> None:
        self.peak, self.resets = peak, 0

    def reset(self) -> None:
        self.resets += 1

    def peak_bytes(self) -> int | None:
        return self.peak


class FakeDevice:
    """The clock as a device."""

    kind = "cpu"
    torch_name = "cpu"

    def __init__(self, clock: FakeClock | None = None, peak: int | None = None) -> None:
        self.clock, self.memory = clock or FakeClock(), FakeMemory(peak)

    def setup(self) -> Mapping[str, Any]:
        return {"kind": "fake"}

    def mark(self) -> int:
        return self.clock.ns

    def seconds(self, marks: Sequence[int]) -> list[float]:
        return [(mark - marks[0]) / 1e9 for mark in marks]


def utterance(seconds: float, key: str = "u", text: str = "one two") -> Utterance:
    return Utterance(key, np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32), text)


def utterances(durations: Sequence[float]) -> tuple[Utterance, ...]:
    return tuple(utterance(seconds, f"u{i}", f"text {i}") for i, seconds in enumerate(durations))


def workload(found: Sequence[Utterance], **info: Any) -> Workload:
    facts = {
        "name": "fake",
        "source": "made here",
        "licence": "CC0",
        "digest": "d" * 40,
        "utterances": len(found),
    }
    facts |= {"audio_s": sum(u.duration_s for u in found)}
    return Workload(tuple(found), DatasetInfo(**(facts | info)))


@dataclass
class FakeDataset:
    durations: Sequence[float] = (1.0, 2.0)
    info: Mapping[str, Any] = field(default_factory=dict)
    error: BaseException | None = None
    name: str = "fake"

    def load(self, limit: int | None) -> Workload:
        if self.error is not None:
            raise self.error
        return workload(utterances(self.durations)[:limit], **self.info)


def make_spec(**changes: Any) -> ModelSpec:
    options = {
        "name": "toy",
        "hub_id": "toys/toy",
        "revision": "main",
        "licence": "MIT",
        "family": "whisper",
    }
    options |= {"model_type": "whisper", "parameters": 1, "architecture": {}, "features": {}}
    return ModelSpec(**(options | changes))


@dataclass
class Recorder:
    """A measurement that writes its name down; ``then`` is run as the measuring itself."""

    name: str = "recorder"
    phase: Phase = "disturbing"
    log: list[str] = field(default_factory=list)
    then: Callable[[Session], Findings] = lambda session: Findings()

    def measure(self, session: Session) -> Findings:
        self.log.append(self.name)
        return self.then(session)


class ScriptedSystem:
    """A system whose calls are ``script(batch, probe)``."""

    def __init__(
        self, script: Callable[[AudioBatch, Probe], Any], modules: Any = None, **facts: Any
    ) -> None:
        known = {
            "weights": "pretrained",
            "weights_source": "here",
            "weights_bytes": 0,
            "parameters": 0,
        }
        self.facts = SystemFacts(**(known | {"dtype": "float32"} | facts))
        self.modules: Mapping[str, Any] = modules or {}
        self.script, self.closed = script, 0

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        done = self.script(batch, probe)
        return done if isinstance(done, Transcription) else transcription(batch)

    def close(self) -> None:
        self.closed += 1


class ScriptedEngine:
    def __init__(self, system: ScriptedSystem) -> None:
        self.system = system

    def check(self, model: ModelSpec) -> None:
        return

    def load(self, model: ModelSpec, device: Any) -> ScriptedSystem:
        return self.system


class FakeSink:
    """Keeps what it is given, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.records: list[tuple[RunRecord, Path, str | None]] = []

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        return earlier or "token"

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        self.records.append((record, folder, parent))
        if self.error is not None:
            raise self.error

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        return


def transcription(batch: AudioBatch, **changes: Any) -> Transcription:
    """Texts as they should be, one token each."""
    plain = {
        "texts": tuple(u.reference for u in batch.utterances),
        "tokens": (1,) * len(batch),
        "audio_s": tuple(u.duration_s for u in batch.utterances),
    }
    return Transcription(**(plain | changes))


def make_session(system: Any, found: Sequence[Utterance], size: int = 1, **changes: Any) -> Session:
    options = {
        "model": make_spec(),
        "system": system,
        "device": FakeDevice(),
        "workload": workload(found),
    }
    options |= {
        "batches": tuple(Fixed(size).batches(found)),
        "folder": Path(),
        "progress": NullProgress(),
    }
    return Session(**(options | changes))


def brief(**changes: Any) -> Pipeline:
    """One warm-up call, every batch once, nothing adaptive: calls that a test can count.

    Without a metronome, whose probes take real time."""
    plain = {"min_iterations": 1, "precision": None, "warmup_seconds": 0.0, "metronome": False}
    return Pipeline(**(plain | changes))


def make_job(
    clock: FakeClock | None = None,
    durations: Sequence[float] = (1.0, 2.0),
    size: int = 1,
    engine: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Job:
    """A job on the fake clock; ``engine`` are options of the fake engine, ``changes`` are fields of
    Job and of its system."""
    clock = clock or FakeClock()
    fake = Fake(sleep=clock.sleep, **(engine or {}))
    system = SystemSpec(make_spec(), fake, FakeDevice(clock), Fixed(size))
    return altered(Job(system, FakeDataset(durations), {"latency": Latency()}, brief()), **changes)


def altered(job: Job, **changes: Any) -> Job:
    """``job`` with other fields, of its own and of its system."""
    own = {
        key: value for key, value in changes.items() if key not in SystemSpec.__dataclass_fields__
    }
    system = {key: value for key, value in changes.items() if key not in own}
    return replace(job, **own, system=replace(job.system, **system))


def noise(seconds: float, key: str = "u") -> Utterance:
    audio = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE_HZ))
    return Utterance(key, audio.astype(np.float32), "words")
