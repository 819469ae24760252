"""``run(job)`` → RunRecord, also of a point that fails: where a point begins and ends."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.core.ports import (
    Batching,
    Bounded,
    Dataset,
    Fitting,
    Listing,
    Measurement,
    NullProgress,
    Progress,
    Session,
    Sink,
    SystemSpec,
    Watch,
    Watcher,
)
from asr_scaling.core.record import Findings, RunRecord, Status
from asr_scaling.core.workload import Workload
from asr_scaling.errors import (
    AsrScalingError,
    DataError,
    OutOfMemoryError,
    PointInterruptedError,
)
from asr_scaling.machine.co_tenants import CoTenants
from asr_scaling.machine.environment import certified
from asr_scaling.machine.memory import release_memory
from asr_scaling.measure.fingerprint import fingerprint
from asr_scaling.measure.fitting import fitted
from asr_scaling.measure.keep import keep
from asr_scaling.measure.model_cache import Loaded, ModelCache
from asr_scaling.measure.pipeline import Pipeline, measure
from asr_scaling.measure.process_state import process_restored
from asr_scaling.measure.record_builder import (
    RecordBuilder,
    dataset_cautions,
    idle_cautions,
    system_cautions,
    system_facts,
)
from asr_scaling.measure.signals import sigterm_interrupts
from asr_scaling.measure.speech import Speech
from asr_scaling.scenario.calls import Calls
from asr_scaling.util.cache import write_atomic
from asr_scaling.util.redact import redact

Earlier = Callable[[str], RunRecord | None]
"""Fingerprint of a point → the record of when it was measured before, None to measure it now."""


@dataclass(frozen=True)
class Job:
    """One point: a system under test, its speech, what to measure, and where the record goes.

    ``profiler``: name → measurement.
    ``scenario``: what drives the system once its calls are measured: requests that arrive.
    ``tracking``: the store that gets the record.
    ``folder``: where ``record.json`` and artifacts go; None to keep only what ``run`` returns.
    ``config``: the options as the user wrote them, stored in the record; the point's fingerprint is
    made of them, so that a point without options has none.
    ``name``: of the point, the model's where it is empty.
    ``certificate``: what the self-test said of this machine, stored in the record.
    """

    system: SystemSpec
    dataset: Dataset
    profiler: Mapping[str, Measurement]
    pipeline: Pipeline = field(default_factory=Pipeline)
    scenario: Measurement = field(default_factory=Calls)
    tracking: Sink | None = None
    folder: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    certificate: Mapping[str, Any] | None = None


def run(
    job: Job,
    progress: Progress | None = None,
    parent: str | None = None,
    cache: ModelCache | None = None,
    earlier: Earlier | None = None,
) -> RunRecord:
    """Measure ``job``; its record is on disk and in the store when this returns, however it ended.

    ``parent``: the token that the store's ``open`` gave for the sweep.
    ``cache``: where a loaded system is taken from and left for the next point.
    ``earlier``: asked once the fingerprint is known; a record that it has is stored instead.
    Raises KeyboardInterrupt and PointInterruptedError again once the point is recorded.
    """
    with (
        nullcontext(job.folder)
        if job.folder
        else TemporaryDirectory(prefix="asr_scaling-") as where
    ):
        folder = Path(where)
        folder.mkdir(parents=True, exist_ok=True)
        point = _Point(job, folder, progress or NullProgress(), cache)
        with process_restored():
            record, interrupt = point.ended(earlier)
        record = keep(record, folder, job.tracking, parent)
    if interrupt is not None:
        raise interrupt
    return record


class _Point:
    """A job while it is measured, and the record that grows with it."""

    def __init__(
        self, job: Job, folder: Path, progress: Progress, cache: ModelCache | None
    ) -> None:
        self.job = job
        self.folder = folder
        self.progress = progress
        self.cache = cache
        self.builder = RecordBuilder(job.name or job.system.model.name, job.config)

    def ended(self, earlier: Earlier | None) -> tuple[RunRecord, BaseException | None]:
        """The record of how the point ended, and what interrupted it."""
        status: Status = "failed"
        reason: str | None = None
        interrupt: BaseException | None = None
        try:
            with sigterm_interrupts():
                record = self._measure(earlier)
            if record is not None:
                return record, None
            status = "ok"
        except (OutOfMemoryError, MemoryError) as error:
            status, reason = "out_of_memory", str(error) or "out of memory"
        except (KeyboardInterrupt, PointInterruptedError) as error:
            status, interrupt = "interrupted", error
            reason = str(error) or "interrupted by the user or the scheduler"
        except AsrScalingError as error:
            reason = str(error)
        except (Exception, SystemExit) as error:
            text = redact(traceback.format_exc()).encode("utf-8", "backslashreplace")
            reason = f"{type(error).__name__}: {error}"
            with suppress(OSError):  # a full disk may be what went wrong
                write_atomic(self.folder / "traceback.txt", text)
                self.builder.add(Findings(artifacts=("traceback.txt",)))
                reason += " (details in traceback.txt)"
        return self.builder.record(status, reason), interrupt

    def _measure(self, earlier: Earlier | None) -> RunRecord | None:
        """Take every measurement, or return the record of an earlier time."""
        job, builder = self.job, self.builder
        builder.environment = certified(job.certificate)
        system = job.system.composed()
        device = dict(system.device.setup())
        if job.config:
            files = job.dataset.files() if isinstance(job.dataset, Listing) else None
            builder.identity = fingerprint(job.config, device, files)
        record = earlier(builder.identity) if earlier else None
        if record is not None:
            return record
        builder.add_history(job.system.device.kind)
        system.check()
        builder.environment["device"] = device
        with ExitStack() as stack:
            co_tenants = CoTenants(device.get("uuid"))
            stack.callback(self._close, co_tenants)
            builder.lap("device")
            speech = self._speech(system)
            self.progress.stage("idle")
            watches = {**self._watches(system, stack), "co_tenants": co_tenants}
            loaded = stack.enter_context(self._loaded(system))
            builder.system = system_facts(system, loaded.system)
            self._take(system, loaded, speech, watches)
            builder.system |= system_facts(system, loaded.system)  # time spent compiling grows
        return None

    def _close(self, co_tenants: CoTenants) -> None:
        co_tenants.close()
        self.builder.add(Findings(cautions=co_tenants.cautions))

    def _speech(self, system: SystemSpec) -> Speech:
        """The speech, once the engine has said that it is not too long."""
        self.progress.stage("dataset")
        speech = (self.cache or ModelCache()).speech(self.job.dataset, self.job.pipeline)
        self.builder.dataset = speech.workload.info.facts()
        self.builder.lap("dataset")
        if isinstance(system.engine, Bounded):
            system.engine.check_length(system.model, speech.longest_s)
        return speech

    def _watches(self, system: SystemSpec, stack: ExitStack) -> dict[str, Watch]:
        """The watches of the measurements that have one; they look at the idle machine now."""
        watches = {}
        for name, measurement in self.job.profiler.items():
            if isinstance(measurement, Watcher):
                watches[name] = measurement.watch(system.device)
                stack.callback(watches[name].close)
        return watches

    @contextmanager
    def _loaded(self, system: SystemSpec) -> Iterator[Loaded]:
        """The loaded system; its memory is given back unless the cache keeps it."""
        loaded = self.cache.take(system) if self.cache else None
        release_memory(freeze=loaded is None)
        self.builder.lap("idle")
        if loaded is None:
            self.progress.stage("load")
            loaded = Loaded(system, system.engine.load(system.model, system.device))
            self.builder.lap("load")
        try:
            yield loaded
            if self.cache and self.cache.put(loaded):
                loaded = None
        finally:
            self.builder.lap("other")
            if loaded is not None:
                loaded.system.close()
                del loaded
                release_memory()
            self.builder.lap("close")

    def _take(
        self, system: SystemSpec, loaded: Loaded, speech: Speech, watches: Mapping[str, Watch]
    ) -> None:
        """Every measurement of the loaded system."""
        batching = self._batching(system, loaded, speech.workload)
        self.builder.add(Findings(cautions=dataset_cautions(batching.size, speech.workload)))
        batches = tuple(batching.batches(speech.workload.utterances))
        if not batches:
            raise DataError("The dataset gave no batch; check dataset and batch options.")
        session = self.builder.session = Session(
            system.model,
            loaded.system,
            system.device,
            speech.workload,
            batches,
            self.folder,
            self.progress,
            watches=watches,
            kept=loaded.kept,
            engine=system.engine,
            serving=system.serving,
            called=system.called,
            besides=tuple(batching.batches(speech.besides)) if speech.besides else (),
        )
        remarks = system_cautions(loaded.system, system.decoding)
        remarks += idle_cautions(self.job.system, batches)
        self.builder.add(Findings(cautions=remarks))
        for remark in remarks:
            self.progress.say(f"{system.model.name}: {remark.message}")
        driven = {**self.job.profiler, "scenario": self.job.scenario}
        measure(session, self.job.pipeline, driven, self.builder.collect)

    def _batching(self, system: SystemSpec, loaded: Loaded, workload: Workload) -> Batching:
        """The batching that was asked for; a size that the system decides is found first."""
        if not isinstance(system.batch, Fitting):
            return system.batch
        self.progress.stage("largest batch")
        batching, findings = fitted(system, loaded.system, workload.utterances)
        self.builder.collect("largest batch", findings)
        return batching
