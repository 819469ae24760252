"""run(job) → RunRecord, a failure included: the only place where a point begins and ends."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling import caution
from asr_scaling.caution import Caution
from asr_scaling.environment import certified
from asr_scaling.errors import AsrScalingError, DataError, OutOfMemoryError, PointInterruptedError, TrackingError
from asr_scaling.interrupt import terminated_is_interrupted
from asr_scaling.model.spec import ModelSpec
from asr_scaling.pipeline import SCOPE, Pipeline, Session, measure
from asr_scaling.ports import Batching, Dataset, Device, Engine, Measurement, Progress, Sink, System, Watch, Watcher
from asr_scaling.record import Findings, Metric, RunRecord, Status
from asr_scaling.resident import release_memory, resident_bytes
from asr_scaling.timing import NullProgress
from asr_scaling.workload import Workload


@dataclass(frozen=True)
class Job:
    """One point: a system under test, a workload, the measurements to take and where the record goes.

    ``profiler``: name → measurement. ``folder``: where ``record.json`` and artifacts go, None to keep only the record
    that ``run`` returns. ``config``: the options as the user wrote them, stored in the record.
    ``certificate``: what the self-test said of this machine, stored in the record too.
    """

    model: ModelSpec
    engine: Engine
    device: Device
    dataset: Dataset
    batch: Batching
    profiler: Mapping[str, Measurement]
    pipeline: Pipeline = field(default_factory=Pipeline)
    tracking: Sink | None = None
    folder: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    certificate: Mapping[str, Any] | None = None


@dataclass
class _Draft:
    """The record as it grows, so that a failure keeps what was measured before it."""

    system: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    cautions: list[Caution] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    transcripts: list[Mapping[str, Any]] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    repeats: dict[str, tuple[float, ...]] = field(default_factory=dict)
    job_s: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    session: Session | None = None
    clock: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Seconds since the last lap went into ``name``."""
        now = time.perf_counter()
        self.job_s[name] = self.job_s.get(name, 0.0) + now - self.clock
        self.clock = now

    def collect(self, name: str, findings: Findings) -> None:
        """Take in what one measurement found."""
        self.metrics.extend(findings.metrics)
        self.unavailable.update(findings.unavailable)
        self.cautions.extend(findings.cautions)
        self.tags.update(findings.tags)
        self.transcripts.extend(findings.transcripts)
        self.artifacts.extend(findings.artifacts)
        self.repeats.update(findings.repeats)
        self.lap(name)


def run(job: Job, progress: Progress | None = None, parent: str | None = None) -> RunRecord:
    """Measure ``job``; the record's status says how it ended, and it is on disk and in the sink when this returns.

    ``parent``: the token that the sink's ``open`` gave for the sweep. KeyboardInterrupt is raised again once the
    interrupted point is recorded.
    """
    with TemporaryDirectory(prefix="asr_scaling-") as scratch:
        folder = job.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        started_at, draft = time.time(), _Draft(environment=certified(job.certificate))
        status, reason, interrupt = _attempt(job, draft, folder, progress or NullProgress())
        record = _record(job, draft, status, reason, started_at)
        record = keep(record, folder, job.tracking, parent)
    if interrupt is not None:
        raise interrupt
    return record


def _attempt(
    job: Job, draft: _Draft, folder: Path, progress: Progress
) -> tuple[Status, str | None, BaseException | None]:
    try:
        with terminated_is_interrupted():
            _measure(job, draft, folder, progress)
    except (OutOfMemoryError, MemoryError) as error:
        return "out_of_memory", str(error) or "out of memory", None
    except (KeyboardInterrupt, PointInterruptedError) as error:
        return "interrupted", "interrupted by the user or the scheduler", error
    except AsrScalingError as error:
        return "failed", str(error), None
    except Exception as error:
        (folder / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        draft.artifacts.append("traceback.txt")
        return "failed", f"{type(error).__name__}: {error} (details in traceback.txt)", None
    return "ok", None, None


def _measure(job: Job, draft: _Draft, folder: Path, progress: Progress) -> None:
    job.engine.check(job.model)
    draft.environment["device"] = dict(job.device.setup())
    draft.lap("device")
    progress.stage("dataset")
    workload = job.dataset.load(job.pipeline.utterances)
    draft.dataset = asdict(workload.info)
    draft.cautions += _dataset_cautions(job.batch.size, workload)
    draft.lap("dataset")
    batches = tuple(job.batch.batches(workload.utterances))
    if not batches:
        raise DataError("The dataset gave no batch; check dataset and batch options.")
    with ExitStack() as stack:
        progress.stage("idle")
        watches = _watches(job, stack)
        system, idle = stack.enter_context(_loaded(job, draft, progress))
        session = Session(job.model, system, job.device, workload, batches, folder, progress, idle, watches)
        draft.session = session
        draft.system = _system(job, system)
        cautions = _system_cautions(system)
        draft.cautions += cautions
        for found in cautions:
            progress.say(f"{job.model.name}: {found.message}")
        measure(session, job.pipeline, job.profiler, draft.collect)
        draft.system = _system(job, system)  # what grew with the calls: compile time


def _watches(job: Job, stack: ExitStack) -> dict[str, Watch]:
    """The watches of the measurements that have one; they look at the idle machine now, before anything is loaded."""
    watches = {}
    for name, measurement in job.profiler.items():
        if isinstance(measurement, Watcher):
            watches[name] = measurement.watch(job.device)
            stack.callback(watches[name].close)
    return watches


@contextmanager
def _loaded(job: Job, draft: _Draft, progress: Progress) -> Iterator[tuple[System, int]]:
    """The loaded system and the resident bytes before it; memory is given back whatever happens."""
    release_memory(freeze=True)
    idle = resident_bytes()
    draft.lap("idle")
    progress.stage("load")
    system = job.engine.load(job.model, job.device)
    draft.lap("load")
    try:
        yield system, idle
    finally:
        system.close()
        draft.lap("other")
        del system
        release_memory()
        draft.lap("close")


def _system(job: Job, system: System) -> dict[str, Any]:
    return {
        "model": asdict(job.model),
        "engine": type(job.engine).__module__.rpartition(".")[2],
        "device": job.device.torch_name,
        "facts": {**asdict(system.facts), "notes": list(system.facts.notes)},
    }


def _dataset_cautions(size: int, workload: Workload) -> list[Caution]:
    info, found = workload.info, []
    if info.synthetic:
        found.append(caution.synthetic_speech(info.name))
    if info.left_out:
        found.append(caution.left_out(", ".join(f"{n} {why}" for why, n in info.left_out.items())))
    if len(workload.utterances) % size:
        found.append(caution.partial_batch(size, len(workload.utterances)))
    return found


def _system_cautions(system: System) -> list[Caution]:
    facts = system.facts
    found = [caution.note(text) for text in facts.notes]
    return [caution.random_weights(facts.weights_source), *found] if facts.random else found


def _record(job: Job, draft: _Draft, status: Status, reason: str | None, started_at: float) -> RunRecord:
    session = draft.session
    if session is not None:
        draft.job_s["engine_calls"] = session.engine_s
    return RunRecord(
        name=job.name or job.model.name,
        status=status,
        reason=reason,
        config=job.config,
        environment=draft.environment,
        system=draft.system,
        dataset=draft.dataset,
        scope=SCOPE,
        samples=session.samples if session else (),
        metrics=tuple(draft.metrics),
        unavailable=draft.unavailable,
        cautions=tuple(draft.cautions),
        tags=draft.tags,
        transcripts=tuple(draft.transcripts),
        artifacts=tuple(draft.artifacts),
        repeats=draft.repeats,
        job_s=draft.job_s,
        started_at=started_at,
        ended_at=time.time(),
    )


def unbuilt(name: str, reason: str, config: Mapping[str, Any]) -> RunRecord:
    """The record of a point that could not even be built."""
    now = time.time()
    return RunRecord(name, "failed", config, certified(None), reason, started_at=now, ended_at=now)


def keep(record: RunRecord, folder: Path, sink: Sink | None, parent: str | None) -> RunRecord:
    """Write ``record.json`` and store the record in ``sink``; one that the sink refuses says so, on disk too."""
    record.write(folder)
    if sink is None:
        return record
    try:
        sink.write(record, folder, parent)
    except TrackingError as error:
        record = replace(record, cautions=(*record.cautions, caution.not_tracked(str(error))))
        record.write(folder)
    return record
