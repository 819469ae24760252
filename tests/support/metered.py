"""A clock whose meters draw power, and energy measured on it:
what the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from asr_scaling.core.record import Findings
from asr_scaling.profiler.energy import Energy
from support.fakes import FakeClock, FakeDevice, ScriptedSystem, make_session, utterances

NONE = {"cpu": "no counter", "memory": "no counter", "gpu": "not used by this device"}
TOTALS = (
    "total_j",
    "power_w",
    "per_sample_j",
    "per_audio_second_j",
    "net_per_sample_j",
    "net_per_audio_second_j",
)


class Machine(FakeClock):
    """A clock on which meters draw power as it goes on; ``busy`` while a call is running."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False
        self.meters: list[Meter] = []
        self.trackers: list[FakeTracker] = []
        self.hardware: list[Any] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for meter in self.meters:
            meter.draw(seconds)


@dataclass
class Meter:
    """Joules of one component, shown every ``tick_s``;
    ``broken`` raises, ``reads`` remembers when it was read."""

    machine: Machine
    component: str
    idle_w: float
    busy_w: float
    tick_s: float = 0.001
    method: str = "measured by a fake"
    exact_j: float = 0.0
    shown_j: float = 0.0
    broken: bool = False
    closed: int = 0

    def __post_init__(self) -> None:
        self.reads: list[bool] = []
        self.changed: Callable[[], None] = lambda: None
        self.machine.meters.append(self)

    def draw(self, seconds: float) -> None:
        before = self.machine.ns - round(seconds * 1e9)
        self.exact_j += seconds * (self.busy_w if self.machine.busy else self.idle_w)
        tick = round(self.tick_s * 1e9)
        if tick and self.machine.ns // tick > before // tick:
            self.shown_j = self.exact_j
            self.changed()

    def joules(self) -> float:
        if self.broken:
            raise OSError("the counter is gone")
        self.reads.append(self.machine.busy)
        return self.shown_j

    def close(self) -> None:
        self.closed += 1


class FakeTracker:
    """codecarbon's tracker: its tasks cover what the machine's ``hardware`` models draw."""

    def __init__(self, machine: Machine, **options: Any) -> None:
        self._hardware, self.machine, self.options = machine.hardware, machine, options
        self.log: list[str] = []
        self.sampling = False
        self.open: tuple[float, float] | None = None
        machine.trackers.append(self)

    def now(self) -> tuple[float, float]:
        found = {type(part).__name__: part.meter.exact_j for part in self._hardware}
        return found.get("CPU", 0.0), found.get("RAM", 0.0)

    def start_task(self) -> None:
        assert self.open is None, "codecarbon would go on with the old task"
        self.log.append("start")
        self.sampling, self.open = True, self.now()

    def stop_task(self, name: str | None = None) -> Any:
        self.sampling = False
        if name is not None:
            raise KeyError(name)
        assert self.open is not None
        self.log.append("stop")
        (cpu, memory), (cpu_now, memory_now), self.open = self.open, self.now(), None
        return SimpleNamespace(
            cpu_energy=(cpu_now - cpu) / 3.6e6, ram_energy=(memory_now - memory) / 3.6e6
        )

    def stop(self) -> None:
        self.log.append("end")


def hardware(meter: Meter, **state: Any) -> Any:
    return type({"cpu": "CPU", "memory": "RAM"}[meter.component], (), {"meter": meter, **state})()


class Gpu(FakeDevice):
    kind = "cuda"
    torch_name = "cuda:0"


def counting(*meters: Meter, **why: str) -> Callable[[Any], Any]:
    """The device has these counters; ``why``: reasons for the components that have none."""
    known = {meter.component for meter in meters}
    return lambda device: (
        list(meters),
        {part: reason for part, reason in (NONE | why).items() if part not in known},
    )


def work(machine: Machine, seconds: Sequence[float] = (0.5,)) -> ScriptedSystem:
    """Calls of these durations, round and round."""
    calls = [0]

    def call(batch: Any, probe: Any) -> None:
        machine.busy = True
        machine.sleep(seconds[calls[0] % len(seconds)])
        machine.busy = False
        calls[0] += 1

    return ScriptedSystem(call)


def measured(
    machine: Machine,
    energy: Energy,
    *,
    calls: int = 0,
    seconds: Sequence[float] = (0.5,),
    device: Any = None,
    durations: Sequence[float] = (1.0, 3.0),
) -> Findings:
    """As the pipeline does it, with ``calls`` timed calls of one utterance each."""
    device = device or FakeDevice(machine)
    watch = energy.watch(device)
    session = make_session(
        work(machine, seconds), utterances(durations), device=device, watches={"energy": watch}
    )
    watch.begin()
    for i in range(calls):
        batch = session.batches[i % len(session.batches)]
        session.transcribe(batch)
        watch.after(batch)
    found = energy.measure(session)
    watch.close()
    watch.close()
    return found


def values(findings: Findings) -> dict[str, float]:
    return {metric.name.removeprefix("energy/"): metric.value for metric in findings.metrics}
