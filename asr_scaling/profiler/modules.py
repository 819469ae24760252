"""What each module of a cascade costs, and which core and device works for which of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from asr_scaling.core.cascade_facts import modules_in
from asr_scaling.core.metric import Metric
from asr_scaling.core.module_use import BETWEEN, RECOGNITION
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import mean_interval
from asr_scaling.machine.core_watch import CoreUse, watched_cores
from asr_scaling.machine.thread_owners import ThreadOwners

_NO_CPU = "this system does not tell the processor time of a thread"
_NO_ENERGY = "the energy of a call is not known"
_SHARED = "the energy of a call, shared out by processor seconds"
_SHARED_GPU = f"{_SHARED}, and the GPU's by the seconds for which a module occupied it"
_MOST_STRETCHES = 600
"""Of cores; those after them are left out of the picture."""


@runtime_checkable
class Owning(Protocol):
    """A system that knows which module a thread works for."""

    @property
    def owners(self) -> ThreadOwners: ...  # noqa: D102


@dataclass(frozen=True)
class Modules:
    """Means over the timed calls of a cascade; nothing of other systems.

    ``lanes``: one call more shows which module worked when, and which core worked for it.
    """

    lanes: bool = True
    name: str = field(default="modules", init=False)
    phase: Phase = field(default="final", init=False)

    def measure(self, session: Session) -> Findings:
        """What each module costs in a call, the rest under "between"."""
        samples = [sample for sample in session.samples if sample.modules]
        if not samples:
            return Findings()
        energy_j, tags = _energy(session, samples)
        metrics, missing = list[Metric](), dict[str, str]()
        for name in samples[0].modules:
            metrics += _times(name, samples)
            metrics += _shares(name, samples)
            if name in energy_j:
                metrics.append(Metric(f"module/{name}/energy_j", energy_j[name], len(samples)))
        if not any(metric.name.endswith("/cpu_s") for metric in metrics):
            missing |= {f"module/{name}/cpu_s": _NO_CPU for name in samples[0].modules}
        if not energy_j:
            missing |= {f"module/{name}/energy_j": _NO_ENERGY for name in samples[0].modules}
        metrics += _memory(session)
        lanes = _lanes(session) if self.lanes else None
        return Findings(tuple(metrics), missing, tags=tags, lanes=lanes)


def _times(name: str, samples: Sequence[Sample]) -> Iterator[Metric]:
    """Seconds and counts of a call, means over the calls."""
    uses = [sample.modules[name] for sample in samples]
    n = len(uses)
    for figure in (
        "wall_s",
        "cpu_s",
        "device_s",
        "wait_s",
        "moved_bytes",
        "padding_share",
        "calls",
        "items",
    ):
        values = [getattr(use, figure) for use in uses]
        known = [float(value) for value in values if value is not None]
        if len(known) == n:
            interval = mean_interval(known) if figure in ("wall_s", "cpu_s") else None
            yield Metric(f"module/{name}/{figure}", sum(known) / n, n, interval)


def _shares(name: str, samples: Sequence[Sample]) -> Iterator[Metric]:
    """Of the time of the calls, and of the processor time of the process in them."""
    n, total_s = len(samples), sum(sample.total_s for sample in samples)
    wall_s = sum(sample.modules[name].wall_s for sample in samples)
    yield Metric(f"module/{name}/wall_share", wall_s / total_s, n)
    cpu_s = _cpu_s(name, samples)
    every_s = sum(sample.cpu_s or 0.0 for sample in samples)
    if cpu_s is not None and every_s:
        yield Metric(f"module/{name}/cpu_share", cpu_s / every_s, n)
        yield Metric(f"module/{name}/cores", cpu_s / total_s, n)


def _cpu_s(name: str, samples: Sequence[Sample]) -> float | None:
    """Processor seconds of a module in all calls; None where they are not known."""
    found = [sample.modules[name].cpu_s for sample in samples]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) if len(known) == len(found) else None


def _energy(session: Session, samples: Sequence[Sample]) -> tuple[dict[str, float], dict[str, str]]:
    """Module → joules of a call, and how they were shared out; nothing where it is not known.

    The processor's and memory's energy goes by processor seconds, the GPU's by the seconds for
    which a module occupied it.
    """
    each = session.values.get("energy/per_sample_j")
    cpu = {name: _cpu_s(name, samples) for name in samples[0].modules}
    if each is None or any(seconds is None for seconds in cpu.values()):
        return {}, {}
    whole_j = session.values.get("energy/total_j", 0.0)
    gpu = session.values.get("energy/gpu_j", 0.0) / whole_j if whole_j else 0.0
    call_j = each * sum(len(sample.utterances) for sample in samples) / len(samples)
    device = {name: sum(sample.modules[name].device_s or 0.0 for sample in samples) for name in cpu}
    of_cpu, of_gpu = _parts(cpu), _parts(device)
    gpu = gpu if of_gpu else 0.0
    joules = {
        name: call_j * ((1 - gpu) * of_cpu.get(name, 0.0) + gpu * of_gpu.get(name, 0.0))
        for name in cpu
    }
    return joules, {"modules/energy": _SHARED_GPU if gpu else _SHARED}


def _parts(seconds: Mapping[str, float | None]) -> dict[str, float]:
    """Each one's share of the sum; empty where that is 0."""
    whole = sum(value or 0.0 for value in seconds.values())
    return {name: (value or 0.0) / whole for name, value in seconds.items()} if whole else {}


def _memory(session: Session) -> Iterator[Metric]:
    """What loading each module added to the process."""
    for name, row in (modules_in(session.system.facts.details) or {}).items():
        yield Metric(f"module/{name}/memory_bytes", float(row["memory_bytes"]))


def _lanes(session: Session) -> dict[str, Any] | None:
    """When each module worked in one call on the shortest batch, and the cores meanwhile.

    In types that JSON has: "modules" and "cores" are lists of stretches in seconds of the call.
    """
    if not isinstance(session.system, Owning):
        return None
    batch = min(session.batches, key=lambda batch: batch.audio_s)
    with watched_cores(session.system.owners, RECOGNITION) as cores:
        account = session.transcribe(batch, keep=False).account
    if account is None:
        return None
    stretches = [_named(use) for use in cores[:_MOST_STRETCHES]]
    return {
        "total_s": account.total_s,
        "audio_s": batch.audio_s,
        "modules": [asdict(span) for span in account.spans],
        "cores": stretches,
        "left_out": len(cores) - len(stretches),
    }


def _named(use: CoreUse) -> dict[str, Any]:
    return {**asdict(use), "module": use.module or BETWEEN}
