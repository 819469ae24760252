"""run(job) → RunRecord, a failure included: the only place where a point begins and ends."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.core.cautions import NOT_TRACKED, caution
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import (
    Batching,
    Bounded,
    Composition,
    Dataset,
    Device,
    Engine,
    Fitting,
    Measurement,
    NullProgress,
    Optimisation,
    Progress,
    Session,
    Sink,
    System,
    Watch,
    Watcher,
    compose,
)
from asr_scaling.core.record import RunRecord, Status
from asr_scaling.core.workload import Workload
from asr_scaling.errors import (
    AsrScalingError,
    DataError,
    OutOfMemoryError,
    PointInterruptedError,
    TrackingError,
)
from asr_scaling.machine.co_tenants import Neighbours
from asr_scaling.machine.environment import certified
from asr_scaling.machine.memory import release_memory, resident_bytes
from asr_scaling.measure.model_cache import Loaded, Shelf
from asr_scaling.measure.pipeline import Pipeline, measure
from asr_scaling.measure.record_builder import Draft, dataset_cautions, system_cautions
from asr_scaling.measure.signals import terminated_is_interrupted
from asr_scaling.util.cache import write_atomic
from asr_scaling.util.redact import redact, redacted


@dataclass(frozen=True)
class Job:
    """One point: a system under test, a workload, the measurements to take and where the record goes.

    ``profiler``: name → measurement. ``folder``: where ``record.json`` and artifacts go, None to keep only the record
    that ``run`` returns. ``config``: the options as the user wrote them, stored in the record.
    ``certificate``: what the self-test said of this machine, stored in the record too. ``identity``: hash of all that
    shapes the point (identity.py), by which a sweep that was cut knows it again. ``optimisation``: name → what to apply
    before anything is loaded; ``optimised``: those that are applied already.
    """

    model: ModelSpec
    engine: Engine
    device: Device
    dataset: Dataset
    batch: Batching | Fitting
    profiler: Mapping[str, Measurement]
    pipeline: Pipeline = field(default_factory=Pipeline)
    tracking: Sink | None = None
    folder: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    certificate: Mapping[str, Any] | None = None
    identity: str = ""
    optimisation: Mapping[str, Optimisation] = field(default_factory=dict)
    optimised: tuple[str, ...] = ()

    def composed(self) -> Job:
        """The job with its optimisations applied; ConfigError where they make no sense together or here."""
        if not self.optimisation:
            return self
        parts = compose(
            Composition(self.model, self.engine, self.device, self.batch), self.optimisation
        )
        changed = {name: getattr(parts, name) for name in ("model", "engine", "device", "batch")}
        return replace(
            self, **changed, optimisation={}, optimised=(*self.optimised, *self.optimisation)
        )


def run(
    job: Job,
    progress: Progress | None = None,
    parent: str | None = None,
    shelf: Shelf | None = None,
) -> RunRecord:
    """Measure ``job``; the record's status says how it ended, and it is on disk and in the sink when this returns.

    ``parent``: the token that the sink's ``open`` gave for the sweep. ``shelf``: where a loaded system is taken from
    and left for the next point. KeyboardInterrupt and PointInterruptedError are raised again once it is recorded.
    """
    with (
        nullcontext(job.folder)
        if job.folder
        else TemporaryDirectory(prefix="asr_scaling-") as where
    ):
        folder = Path(where)
        folder.mkdir(parents=True, exist_ok=True)
        draft = Draft(environment=certified(job.certificate))
        status, reason, interrupt = _attempt(job, draft, folder, progress or NullProgress(), shelf)
        record = draft.record(job.name or job.model.name, status, reason, job.config, job.identity)
        record = keep(record, folder, job.tracking, parent)
    if interrupt is not None:
        raise interrupt
    return record


def _attempt(
    job: Job, draft: Draft, folder: Path, progress: Progress, shelf: Shelf | None
) -> tuple[Status, str | None, BaseException | None]:
    try:
        with terminated_is_interrupted():
            _measure(job, draft, folder, progress, shelf)
    except (OutOfMemoryError, MemoryError) as error:
        return "out_of_memory", str(error) or "out of memory", None
    except (KeyboardInterrupt, PointInterruptedError) as error:
        return "interrupted", str(error) or "interrupted by the user or the scheduler", error
    except AsrScalingError as error:
        return "failed", str(error), None
    except (Exception, SystemExit) as error:
        write_atomic(
            folder / "traceback.txt",
            redact(traceback.format_exc()).encode("utf-8", "backslashreplace"),
        )
        draft.artifacts.append("traceback.txt")
        return "failed", f"{type(error).__name__}: {error} (details in traceback.txt)", None
    return "ok", None, None


def _measure(job: Job, draft: Draft, folder: Path, progress: Progress, shelf: Shelf | None) -> None:
    job = job.composed()
    job.engine.check(job.model)
    draft.environment["device"] = dict(job.device.setup())
    with ExitStack() as stack:
        neighbours = Neighbours(draft.environment["device"].get("uuid"))
        stack.callback(_leave, neighbours, draft)
        draft.lap("device")
        progress.stage("dataset")
        workload = job.dataset.load(job.pipeline.utterances)
        draft.dataset = asdict(workload.info)
        draft.lap("dataset")
        if isinstance(job.engine, Bounded):
            longest_s = max(
                (utterance.duration_s for utterance in workload.utterances), default=0.0
            )
            job.engine.check_length(job.model, longest_s)
        progress.stage("idle")
        watches = {**_watches(job, stack), "neighbours": neighbours}
        loaded = stack.enter_context(_loaded(job, draft, progress, shelf))
        system, idle = loaded.system, loaded.idle_rss_bytes
        draft.system = _system(job, system)
        batching = _batching(job, draft, loaded, workload, progress)
        draft.cautions += dataset_cautions(batching.size, workload)
        batches = tuple(batching.batches(workload.utterances))
        if not batches:
            raise DataError("The dataset gave no batch; check dataset and batch options.")
        given = (job.model, system, job.device, workload, batches, folder, progress, idle, watches)
        session = Session(*given, kept=loaded.kept, engine=job.engine)
        draft.session = session
        cautions = system_cautions(system)
        draft.cautions += cautions
        for found in cautions:
            progress.say(f"{job.model.name}: {found.message}")
        measure(session, job.pipeline, job.profiler, draft.collect)
        draft.system |= _system(job, system)  # what grew with the calls: compile time


def _leave(neighbours: Neighbours, draft: Draft) -> None:
    neighbours.close()
    draft.cautions += neighbours.cautions


def _watches(job: Job, stack: ExitStack) -> dict[str, Watch]:
    """The watches of the measurements that have one; they look at the idle machine now, before anything is loaded."""
    watches = {}
    for name, measurement in job.profiler.items():
        if isinstance(measurement, Watcher):
            watches[name] = measurement.watch(job.device)
            stack.callback(watches[name].close)
    return watches


def _batching(
    job: Job, draft: Draft, loaded: Loaded, workload: Workload, progress: Progress
) -> Batching:
    """The batching that was asked for, its size found first where it is the system that decides."""
    if not isinstance(job.batch, Fitting):
        return job.batch
    progress.stage("largest batch")
    longest = max(workload.utterances, key=lambda utterance: utterance.duration_s)
    batching, findings = job.batch.fit(loaded.system, job.device, longest, loaded.idle_rss_bytes)
    draft.collect("largest batch", findings)
    return batching


@contextmanager
def _loaded(job: Job, draft: Draft, progress: Progress, shelf: Shelf | None) -> Iterator[Loaded]:
    """The loaded system; unless the next point may have it, memory is given back whatever happens."""
    key = (job.model, job.engine, job.device)
    held = shelf.take(key) if shelf else None
    release_memory(freeze=held is None)
    idle = resident_bytes()
    draft.lap("idle")
    if held is None:
        progress.stage("load")
        held = Loaded(job.engine.load(job.model, job.device), idle)
        draft.lap("load")
    try:
        yield held
        if shelf and shelf.put(key, held):
            held = None
    finally:
        draft.lap("other")
        if held is not None:
            held.system.close()
            del held
            release_memory()
        draft.lap("close")


def _system(job: Job, system: System) -> dict[str, Any]:
    return {
        "model": asdict(job.model),
        "engine": type(job.engine).__module__.rpartition(".")[2],
        "device": job.device.torch_name,
        "optimisations": list(job.optimised),
        "facts": {**asdict(system.facts), "notes": list(system.facts.notes)},
    }


def keep(record: RunRecord, folder: Path, sink: Sink | None, parent: str | None) -> RunRecord:
    """Write ``record.json`` and store the record in ``sink``; one that the sink refuses says so, on disk too.

    What is kept, and returned, is without secrets.
    """
    record = redacted(record, but="samples")  # these are numbers
    record.write(folder)
    if sink is None:
        return record
    try:
        sink.write(record, folder, parent)
    except TrackingError as error:
        lost = caution(NOT_TRACKED, reason=str(error))
        record = replace(record, cautions=(*record.cautions, lost))
        record.write(folder)
    return record
