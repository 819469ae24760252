"""Energy: exact arithmetic on a clock whose meters draw power, each kind of meter, and never a 0 for the unknown."""

from __future__ import annotations

import math
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fakes import FakeClock, FakeDevice, ScriptedEngine, ScriptedSystem, make_job, make_session, utterances

from asr_scaling import pipeline
from asr_scaling.errors import ConfigError
from asr_scaling.job import run
from asr_scaling.pipeline import Pipeline
from asr_scaling.profiler import energy as energy_module
from asr_scaling.profiler._meters import find_counters
from asr_scaling.profiler.energy import Energy
from asr_scaling.record import Findings
from asr_scaling.stats import ratio_interval

NONE = {"cpu": "no counter", "memory": "no counter", "gpu": "not used by this device"}
TOTALS = ("total_j", "power_w", "per_sample_j", "per_audio_second_j", "net_per_sample_j", "net_per_audio_second_j")


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
    """Joules of one component, shown every ``tick_s``; ``broken`` raises, ``reads`` remembers when it was read."""

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
        return SimpleNamespace(cpu_energy=(cpu_now - cpu) / 3.6e6, ram_energy=(memory_now - memory) / 3.6e6)

    def stop(self) -> None:
        self.log.append("end")


def hardware(meter: Meter, **state: Any) -> Any:
    return type({"cpu": "CPU", "memory": "RAM"}[meter.component], (), {"meter": meter, **state})()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The clock of everything, and a codecarbon that models the machine's ``hardware``."""
    found = Machine()
    for module in (pipeline, energy_module):
        monkeypatch.setattr(module, "time", found.as_time())
    codecarbon = ModuleType("codecarbon")
    codecarbon.OfflineEmissionsTracker = partial(FakeTracker, found)
    monkeypatch.setitem(sys.modules, "codecarbon", codecarbon)
    return found


@pytest.fixture
def modelled(machine: Machine) -> tuple[Meter, Meter]:
    """codecarbon knows processor and memory here: 5 W idle and 25 W busy, 20 W always."""
    cpu, memory = Meter(machine, "cpu", 5, 25), Meter(machine, "memory", 20, 20)
    machine.hardware += [hardware(memory), hardware(cpu, _mode="cpu_load")]
    return cpu, memory


class Gpu(FakeDevice):
    kind = "cuda"
    torch_name = "cuda:0"


def counting(*meters: Meter, **why: str) -> Callable[[Any], Any]:
    """The device has these counters; ``why``: reasons for the components that have none."""
    known = {meter.component for meter in meters}
    return lambda device: (list(meters), {part: reason for part, reason in (NONE | why).items() if part not in known})


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
    session = make_session(work(machine, seconds), utterances(durations), device=device, watches={"energy": watch})
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


def test_joules_of_counters(machine: Machine):
    """A window of 1 s is two calls: 2 utterances, 4 s of audio, 30 + 4 J; 10 + 2 W of them are the idle machine's."""
    cpu, memory = Meter(machine, "cpu", 10, 30), Meter(machine, "memory", 2, 4)
    findings = measured(machine, Energy(find=counting(cpu, memory)))
    assert values(findings) == pytest.approx(
        {
            "cpu_j": 90.0,
            "memory_j": 12.0,
            "total_j": 102.0,
            "windows": 3,
            "window_s": 1.0,
            "ticks": 1000,
            "power_w": 34.0,
            "per_sample_j": 17.0,
            "per_audio_second_j": 8.5,
            "idle_power_w": 12.0,
            "net_per_sample_j": 11.0,
            "net_per_audio_second_j": 5.5,
        }
    )
    assert findings.tags == {
        "energy/method": "measured",
        "energy/method_cpu": "measured by a fake",
        "energy/method_memory": "measured by a fake",
        "energy/method_gpu": "unavailable: not used by this device",
    }
    assert findings.unavailable == {"energy/gpu_j": "not used by this device"}
    assert findings.cautions == ()
    assert machine.trackers == [], "codecarbon is for components without a counter"
    assert (cpu.closed, memory.closed) == (2, 2)


def test_several_counters_of_a_component_add_up(machine: Machine):
    sockets = Meter(machine, "cpu", 10, 30), Meter(machine, "cpu", 10, 12)
    assert values(measured(machine, Energy(find=counting(*sockets))))["cpu_j"] == pytest.approx(126.0)


class TestWindows:
    def test_last_fifty_ticks(self, machine: Machine, modelled: Any):
        """NVML's counter ticks every 100 ms: 5 s a window, and the processor's 1 ms does not matter."""
        slow, fast = Meter(machine, "gpu", 50, 150, tick_s=0.1), Meter(machine, "cpu", 10, 30)
        energy = Energy(find=counting(slow, fast), max_seconds=60)
        found = values(measured(machine, energy, device=Gpu(machine)))
        assert found["window_s"] == pytest.approx(5.0)
        assert found["ticks"] == 50
        assert found["total_j"] == pytest.approx(3 * 5 * 180)

    def test_ticks_are_an_option(self, machine: Machine, modelled: Any):
        energy = Energy(find=counting(Meter(machine, "cpu", 50, 150, tick_s=0.1)), ticks=20)
        found = values(measured(machine, energy))
        assert (found["window_s"], found["ticks"]) == (pytest.approx(2.0), 20)

    def test_are_of_whole_calls(self, machine: Machine, modelled: Any):
        assert values(measured(machine, Energy(find=counting()), seconds=(0.7,)))["window_s"] == pytest.approx(1.4)

    def test_of_the_timed_pass_are_enough(self, machine: Machine, modelled: Any):
        """Eleven calls of half a second: five windows, the last call is in none, and no call is added."""
        seen: list[str] = []
        energy = Energy(find=counting())
        watch = energy.watch(FakeDevice(machine))
        session = make_session(work(machine), utterances([1.0]), watches={"energy": watch})
        watch.begin()
        for _ in range(11):
            session.transcribe(session.batches[0])
            watch.after(session.batches[0])
        session.system.script = lambda batch, probe: seen.append("called")
        assert values(energy.measure(session))["windows"] == 5
        assert seen == []

    def test_missing_ones_are_made_up_without_what_happened_between(self, machine: Machine, modelled: Any):
        """Three timed calls are one window and a half; the half, and the pause after it, count nowhere."""
        energy = Energy(find=counting())
        watch = energy.watch(FakeDevice(machine))
        session = make_session(work(machine), utterances([1.0]), watches={"energy": watch})
        watch.begin()
        for _ in range(3):
            session.transcribe(session.batches[0])
            watch.after(session.batches[0])
        machine.sleep(100.0)
        found = energy.measure(session)
        assert values(found)["windows"] == 3
        assert values(found)["total_j"] == pytest.approx(3 * 45.0)
        assert machine.trackers[0].log.count("start") == 1 + 2 + 2 + 3, "trial, idle, timed pass, own calls"

    @pytest.mark.parametrize(("max_seconds", "windows"), [(0, 1), (5, 2), (8, 2), (9, 3), (99, 3)])
    def test_extra_calls_have_a_budget_but_there_is_one_window(
        self, machine: Machine, modelled: Any, max_seconds: float, windows: int
    ):
        found = measured(machine, Energy(find=counting(), max_seconds=max_seconds), seconds=(4.0,))
        assert values(found)["windows"] == windows

    def test_meters_are_read_between_calls_and_rarely(self, machine: Machine, modelled: Any):
        cpu, memory = Meter(machine, "cpu", 10, 30), Meter(machine, "memory", 1, 2)
        energy = Energy(find=counting(cpu, memory))
        watch = energy.watch(FakeDevice(machine))
        session = make_session(work(machine, (0.01,)), utterances([1.0]), watches={"energy": watch})
        cpu.reads.clear()
        watch.begin()
        for _ in range(500):
            session.transcribe(session.batches[0])
            watch.after(session.batches[0])
        assert cpu.reads == [False] * 6, "five windows have six ends"

    def test_the_idle_machine_is_watched_for_as_many_ticks(self, machine: Machine, modelled: Any):
        meter = Meter(machine, "cpu", 50, 150, tick_s=0.1)
        Energy(find=counting(meter)).watch(FakeDevice(machine))
        assert machine.perf_counter() == pytest.approx(0.7 + 5.0, abs=0.01)  # seven changes, then fifty ticks
        Energy(find=counting(meter), idle_seconds=0).watch(FakeDevice(machine))
        assert machine.perf_counter() == pytest.approx(0.7 + 5.0 + 0.7, abs=0.11)

    def test_a_slow_counter_does_not_make_idling_endless(self, machine: Machine, modelled: Any):
        Energy(find=counting(Meter(machine, "cpu", 50, 150, tick_s=0.5))).watch(FakeDevice(machine))
        assert machine.perf_counter() == pytest.approx(1.5 + 5.0, abs=0.01)


class TestIntervals:
    def test_come_from_the_spread_of_windows(self, machine: Machine):
        """Windows of 1.0, 1.2 and 1.4 s at 30 W, one utterance each: 30, 36 and 42 J."""
        energy = Energy(find=counting(Meter(machine, "cpu", 10, 30), Meter(machine, "memory", 0.5, 0.5)))
        findings = measured(machine, energy, seconds=(1.0, 1.2, 1.4), durations=(2.0,))
        joules = [30.5, 36.6, 42.7]
        found = {metric.name: metric for metric in findings.metrics}
        assert findings.repeats["energy/per_sample_j"] == pytest.approx(joules)
        assert findings.repeats["energy/per_audio_second_j"] == pytest.approx([j / 2 for j in joules])
        half = 4.302652729911275 * 6.1 / math.sqrt(3)  # Student's t of two degrees of freedom, at 97.5 %
        interval = found["energy/per_sample_j"].interval
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((36.6 - half, 36.6 + half))
        net = found["energy/net_per_audio_second_j"]
        assert net.value == pytest.approx(20 * 1.2 / 2)
        expected = ratio_interval([20.0, 24.0, 28.0], [2.0, 2.0, 2.0])
        assert expected is not None
        assert net.interval is not None
        assert (net.interval.low, net.interval.high) == pytest.approx((expected.low, expected.high))
        assert found["energy/per_sample_j"].n == 3

    def test_two_windows_have_none(self, machine: Machine, modelled: Any):
        findings = measured(machine, Energy(find=counting(), windows=2))
        assert values(findings)["per_sample_j"] == pytest.approx(22.5)
        assert {metric.interval for metric in findings.metrics} == {None}
        assert "energy/net_per_sample_j" not in {metric.name for metric in findings.metrics}
        assert "fewer than 3 windows" in findings.unavailable["energy/net_per_sample_j"]


class TestNet:
    @pytest.mark.parametrize("busy_w", [5.0, 5.09, 4.0])
    def test_that_is_not_above_idle_is_unavailable(self, machine: Machine, busy_w: float):
        """One tick in fifty is 2 %: 5.09 W can't be told from 5 W."""
        meter = Meter(machine, "cpu", 5.0, busy_w)
        findings = measured(machine, Energy(find=counting(meter)))
        assert "net_per_sample_j" not in values(findings)
        assert values(findings)["idle_power_w"] == pytest.approx(5.0)
        for name in ("energy/net_per_sample_j", "energy/net_per_audio_second_j"):
            assert "can't be told from 0: 5 W idle" in findings.unavailable[name]

    def test_that_drowns_in_the_spread_is_unavailable(self, machine: Machine):
        meter = Meter(machine, "cpu", 5.0, 10.0)
        findings = measured(machine, Energy(find=counting(meter), max_seconds=60), seconds=(1.0, 5.0, 1.0))
        assert "can't be told from 0" in findings.unavailable["energy/net_per_sample_j"]

    def test_needs_an_idle_reading(self, machine: Machine, modelled: Any):
        findings = measured(machine, Energy(find=counting(), idle_seconds=0))
        assert "idle_seconds" in findings.unavailable["energy/net_per_sample_j"]
        assert "idle_power_w" not in values(findings)
        assert values(findings)["per_sample_j"] == pytest.approx(22.5)


class TestProvenance:
    def test_without_counters_everything_is_estimated(self, machine: Machine, modelled: Any):
        findings = measured(machine, Energy(find=counting(cpu="RAPL is not readable")))
        assert values(findings)["total_j"] == pytest.approx(3 * 45.0)
        assert values(findings)["net_per_sample_j"] == pytest.approx(10.0)
        assert "ticks" not in values(findings)
        assert findings.tags["energy/method"] == "estimated"
        assert findings.tags["energy/method_cpu"] == "estimated from cpu_load by codecarbon"
        assert findings.tags["energy/method_memory"] == "estimated from memory size by codecarbon"
        (caution,) = findings.cautions
        assert caution.kind == "EstimatedEnergy"
        assert "cpu from cpu_load by codecarbon (RAPL is not readable)" in caution.message

    def test_estimates_stay_out_of_a_measured_total(self, machine: Machine, modelled: Any):
        """A processor with a counter, memory without one: the model's 20 W of memory stand beside the total."""
        findings = measured(machine, Energy(find=counting(Meter(machine, "cpu", 10, 30))))
        found = values(findings)
        assert (found["total_j"], found["cpu_j"], found["memory_j"]) == pytest.approx((90.0, 90.0, 60.0))
        assert found["idle_power_w"] == pytest.approx(10.0)
        assert findings.tags["energy/method"] == "measured"
        assert findings.tags["energy/method_memory"].startswith("estimated")
        assert findings.cautions == ()

    def test_a_gpu_run_is_measured_when_the_gpu_is(self, machine: Machine, modelled: Any):
        findings = measured(machine, Energy(find=counting(Meter(machine, "gpu", 50, 150))), device=Gpu(machine))
        found = values(findings)
        assert (found["total_j"], found["gpu_j"], found["cpu_j"]) == pytest.approx((450.0, 450.0, 75.0))
        assert findings.tags["energy/method"] == "measured"
        assert findings.tags["energy/method_cpu"] == "estimated from cpu_load by codecarbon"
        assert findings.cautions == ()

    def test_a_gpu_run_holds_a_measured_processor_too(self, machine: Machine, modelled: Any):
        counters = Meter(machine, "gpu", 50, 150), Meter(machine, "cpu", 10, 30)
        findings = measured(machine, Energy(find=counting(*counters)), device=Gpu(machine))
        assert values(findings)["total_j"] == pytest.approx(540.0)

    def test_a_gpu_run_without_its_counter_has_no_total(self, machine: Machine, modelled: Any):
        find = counting(Meter(machine, "cpu", 10, 30), gpu="NVML says no")
        findings = measured(machine, Energy(find=find), calls=6, device=Gpu(machine))
        assert set(values(findings)) == {"cpu_j", "memory_j"}
        assert findings.tags["energy/method"] == "unavailable"
        assert findings.tags["energy/method_gpu"] == "unavailable: NVML says no"
        for name in TOTALS:
            assert "NVML says no" in findings.unavailable[f"energy/{name}"]

    def test_a_record_says_it_everywhere(self, machine: Machine, modelled: Any):
        """Through run(): idle before load, windows of the timed calls, meters closed at the end."""
        meter = Meter(machine, "cpu", 10, 30)
        job = make_job(
            device=FakeDevice(machine),
            profiler={"energy": Energy(find=counting(meter))},
            pipeline=Pipeline(min_iterations=6, precision=None),
        )
        record = run(replace(job, engine=ScriptedEngine(work(machine))))
        assert record.status == "ok", record.reason
        assert record.values["energy/windows"] == 3
        assert record.values["energy/idle_power_w"] == pytest.approx(10.0)
        assert record.tags["energy/method"] == "measured"
        assert record.intervals["energy/per_sample_j"].low == pytest.approx(15.0)
        assert len(record.repeats["energy/per_audio_second_j"]) == 3
        assert meter.closed == 1


class TestNeverZero:
    def test_a_model_that_says_nothing(self, machine: Machine):
        cpu, memory = Meter(machine, "cpu", 0, 0), Meter(machine, "memory", 20, 20)
        machine.hardware += [hardware(memory), hardware(cpu, _mode="cpu_load")]
        findings = measured(machine, Energy(find=counting()), calls=6)
        assert set(values(findings)) == {"memory_j"}
        assert findings.tags["energy/method"] == "unavailable"
        assert findings.tags["energy/method_cpu"] == "unavailable: its meter counted nothing in a window"
        assert set(findings.unavailable) >= {f"energy/{name}" for name in (*TOTALS, "cpu_j", "gpu_j")}

    def test_a_counter_that_stands_still_gives_way_to_the_model(self, machine: Machine, modelled: Any):
        meter = Meter(machine, "cpu", 10, 30, tick_s=0)
        findings = measured(machine, Energy(find=counting(meter)))
        assert findings.tags["energy/method_cpu"] == "estimated from cpu_load by codecarbon"
        assert "did not move in 1.5 s" in findings.cautions[0].message
        assert values(findings)["cpu_j"] == pytest.approx(75.0)
        assert meter.closed == 2

    def test_a_counter_that_runs_backwards(self, machine: Machine):
        findings = measured(machine, Energy(find=counting(Meter(machine, "cpu", 10, -5))))
        assert values(findings) == {}
        assert findings.tags["energy/method"] == "unavailable"

    def test_no_meter_at_all_makes_no_call(self, machine: Machine):
        findings = measured(machine, Energy(find=counting(), idle_seconds=0))
        assert values(findings) == {}
        assert findings.tags == {"energy/method": "unavailable"} | {
            f"energy/method_{part}": f"unavailable: {why}" for part, why in NONE.items()
        }
        assert machine.ns == 0

    @pytest.mark.parametrize("calls", [0, 1, 6])
    def test_a_counter_that_vanishes(self, machine: Machine, modelled: Any, calls: int):
        """It vanishes before the timed pass, within its first window, or after all windows but the last."""
        meter = Meter(machine, "cpu", 10, 30)
        energy = Energy(find=counting(meter))
        watch = energy.watch(FakeDevice(machine))
        session = make_session(work(machine), utterances([1.0]), watches={"energy": watch})
        meter.broken = not calls
        watch.begin()
        for i in range(calls):
            meter.broken = i + 1 == calls
            session.transcribe(session.batches[0])
            watch.after(session.batches[0])
        findings = energy.measure(session)
        watch.close()
        assert findings.metrics == ()
        assert findings.tags["energy/method"] == "unavailable"
        for name in (*TOTALS, "cpu_j", "memory_j", "idle_power_w"):
            assert f"energy/{name}" in findings.unavailable
        assert "the counter is gone" in findings.unavailable["energy/total_j"]

    def test_a_model_that_fails_leaves_the_counters(self, machine: Machine, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "codecarbon", None)
        findings = measured(machine, Energy(find=counting(Meter(machine, "cpu", 10, 30))))
        assert values(findings)["total_j"] == pytest.approx(90.0)
        assert "codecarbon failed" in findings.unavailable["energy/memory_j"]


class PowerCap:
    """Linux's powercap tree in a folder, its counters drawing power."""

    def __init__(self, machine: Machine, folder: Path, limit_uj: int = 262_143_328_850) -> None:
        self.machine, self.folder, self.limit_uj = machine, folder, limit_uj

    def zone(self, path: str, name: str, start_uj: int, watts: tuple[float, float] = (1000.0, 1000.0)) -> Path:
        zone = self.folder / path
        zone.mkdir(parents=True)
        (zone / "name").write_text(f"{name}\n")
        (zone / "max_energy_range_uj").write_text(f"{self.limit_uj}\n")
        meter = Meter(self.machine, name, *watts)

        def write() -> None:
            uj = (start_uj + round(meter.exact_j * 1e6)) % self.limit_uj
            (zone / "energy_uj").write_text(f"{uj}\n")

        write()
        meter.changed = write
        return zone


class TestRapl:
    def found(self, machine: Machine, folder: Path) -> Findings:
        return measured(machine, Energy(find=partial(find_counters, powercap=folder)))

    def test_a_package_and_its_memory_and_nothing_twice(self, machine: Machine, tmp_path: Path):
        tree = PowerCap(machine, tmp_path)
        tree.zone("intel-rapl:0", "package-0", 10_000_000, (10, 30))
        tree.zone("intel-rapl:0/intel-rapl:0:0", "core", 20_000_000)
        tree.zone("intel-rapl:0/intel-rapl:0:1", "uncore", 30_000_000)
        tree.zone("intel-rapl:0/intel-rapl:0:2", "dram", 40_000_000, (2, 4))
        tree.zone("intel-rapl:0:2", "dram", 40_000_000)  # the same zones stand flat in the class, too
        tree.zone("intel-rapl:1", "psys", 50_000_000)
        tree.zone("intel-rapl-mmio:0", "package-0", 60_000_000)
        findings = self.found(machine, tmp_path)
        found = values(findings)
        assert (found["cpu_j"], found["memory_j"], found["total_j"]) == pytest.approx((90.0, 12.0, 102.0))
        assert findings.tags["energy/method"] == "measured"
        assert findings.tags["energy/method_cpu"] == findings.tags["energy/method_memory"] == "measured by RAPL"
        assert machine.trackers == []

    def test_two_sockets_add_up_and_two_dies_of_one_counter_do_not(
        self, machine: Machine, modelled: Any, tmp_path: Path
    ):
        tree = PowerCap(machine, tmp_path)
        tree.zone("intel-rapl:0", "package-0-die-0", 10_000_000, (10, 30))
        tree.zone("intel-rapl:1", "package-0-die-1", 10_000_400, (10, 30))
        tree.zone("intel-rapl:2", "package-1", 70_000_000, (10, 20))
        assert values(self.found(machine, tmp_path))["cpu_j"] == pytest.approx(150.0)

    def test_a_counter_that_starts_over(self, machine: Machine, modelled: Any, tmp_path: Path):
        """It wraps at 100 J: once on the way, and joules go on."""
        tree = PowerCap(machine, tmp_path, limit_uj=100_000_000)
        tree.zone("intel-rapl:0", "package-0", 30_000_000, (10, 30))
        found = values(self.found(machine, tmp_path))
        assert (found["cpu_j"], found["idle_power_w"]) == pytest.approx((90.0, 10.0))

    def test_one_that_cannot_be_read_is_estimated_with_the_reason(
        self, machine: Machine, modelled: Any, tmp_path: Path
    ):
        """Two sockets, one unreadable: half a processor is no measurement."""
        tree = PowerCap(machine, tmp_path)
        tree.zone("intel-rapl:0", "package-0", 10_000_000)
        zone = tree.zone("intel-rapl:1", "package-1", 70_000_000)
        machine.meters[-1].changed = lambda: None
        (zone / "energy_uj").unlink()
        findings = self.found(machine, tmp_path)
        assert findings.tags["energy/method"] == "estimated"
        assert values(findings)["cpu_j"] == pytest.approx(75.0)
        assert f"{zone / 'energy_uj'} can't be read (No such file or directory)" in findings.cautions[0].message

    def test_none(self, machine: Machine, modelled: Any, tmp_path: Path):
        findings = self.found(machine, tmp_path / "nowhere")
        assert findings.tags["energy/method_cpu"].startswith("estimated")
        assert "no RAPL counter" in findings.cautions[0].message


@dataclass
class FakeNvml:
    """The vendor's library: GPUs by UUID, millijoules, every 100 ms."""

    machine: Machine
    meters: dict[str, Meter]
    opened: int = 0
    error: str = ""

    def module(self) -> ModuleType:
        module = ModuleType("pynvml")
        module.NVMLError = type("NVMLError", (Exception,), {})
        module.nvmlInit = lambda: self.count(1)
        module.nvmlShutdown = lambda: self.count(-1)
        module.nvmlDeviceGetTotalEnergyConsumption = self.millijoules

        def by_uuid(uuid: str) -> str:
            if uuid not in self.meters:
                raise module.NVMLError("Not Found")
            return uuid

        module.nvmlDeviceGetHandleByUUID = by_uuid
        self.raised = module.NVMLError
        return module

    def count(self, change: int) -> None:
        self.opened += change

    def millijoules(self, handle: str) -> int:
        assert self.opened > 0, "NVML must be open"
        if self.error:
            raise self.raised(self.error)
        return round(self.meters[handle].joules() * 1e3)


class TestNvml:
    @pytest.fixture
    def nvml(self, machine: Machine, modelled: Any, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
        """Two GPUs; torch sees the second alone, as its number 0."""
        meters = {"GPU-aaaa": Meter(machine, "gpu", 1, 1, 0.1), "GPU-bbbb": Meter(machine, "gpu", 50, 150, 0.1)}
        found = FakeNvml(machine, meters)
        monkeypatch.setitem(sys.modules, "pynvml", found.module())
        self.torch(monkeypatch, "bbbb")
        return found

    def torch(self, monkeypatch: pytest.MonkeyPatch, uuid: str) -> None:
        module = ModuleType("torch")
        properties = {"cuda:0": SimpleNamespace(uuid=uuid)}
        module.cuda = SimpleNamespace(get_device_properties=properties.__getitem__)
        monkeypatch.setitem(sys.modules, "torch", module)

    def found(self, machine: Machine, folder: Path) -> Findings:
        energy = Energy(max_seconds=20, find=partial(find_counters, powercap=folder))
        return measured(machine, energy, device=Gpu(machine))

    @pytest.mark.parametrize("uuid", ["bbbb", "GPU-bbbb"])
    def test_a_gpu_run_is_measured(
        self, machine: Machine, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uuid: str
    ):
        """150 W for three windows of fifty ticks of 100 ms; a window is ten calls of one utterance."""
        self.torch(monkeypatch, uuid)
        findings = self.found(machine, tmp_path)
        found = values(findings)
        assert findings.tags["energy/method"] == "measured"
        assert findings.tags["energy/method_gpu"] == "measured by NVML"
        assert (found["window_s"], found["ticks"]) == (pytest.approx(5.0), 50)
        assert (found["total_j"], found["gpu_j"]) == pytest.approx((2250.0, 2250.0))
        assert (found["per_sample_j"], found["net_per_sample_j"]) == pytest.approx((75.0, 50.0))
        assert findings.cautions == ()
        assert nvml.opened == 0

    def test_a_gpu_without_a_counter(self, machine: Machine, nvml: FakeNvml, tmp_path: Path):
        nvml.error = "Not Supported"
        findings = self.found(machine, tmp_path)
        assert findings.tags["energy/method"] == "unavailable"
        assert findings.tags["energy/method_gpu"] == "unavailable: NVML knows no energy of cuda:0: Not Supported"
        assert nvml.opened == 0

    def test_a_gpu_that_nvml_does_not_know(
        self, machine: Machine, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        self.torch(monkeypatch, "cccc")
        assert "Not Found" in self.found(machine, tmp_path).unavailable["energy/gpu_j"]
        assert nvml.opened == 0

    def test_a_gpu_that_is_lost(self, machine: Machine, nvml: FakeNvml, tmp_path: Path):
        energy = Energy(find=partial(find_counters, powercap=tmp_path))
        watch = energy.watch(Gpu(machine))
        session = make_session(work(machine), utterances([1.0]), watches={"energy": watch})
        nvml.error = "GPU is lost"
        watch.begin()
        findings = energy.measure(session)
        assert findings.metrics == ()
        assert "GPU is lost" in findings.unavailable["energy/per_sample_j"]

    def test_a_cpu_run_reads_no_gpu(self, machine: Machine, nvml: FakeNvml, tmp_path: Path):
        findings = measured(machine, Energy(find=partial(find_counters, powercap=tmp_path)))
        assert findings.tags["energy/method_gpu"] == "unavailable: not used by this device"
        assert nvml.meters["GPU-bbbb"].reads == []


class TestCodecarbon:
    def test_reads_at_the_ends_of_windows_and_samples_in_no_call(self, machine: Machine, modelled: Any):
        sampling: list[bool] = []
        energy = Energy(find=counting())
        watch = energy.watch(FakeDevice(machine))
        system = work(machine)
        script = system.script
        system.script = lambda batch, probe: (sampling.append(machine.trackers[0].sampling), script(batch, probe))[1]
        session = make_session(system, utterances([1.0]), watches={"energy": watch})
        watch.begin()
        energy.measure(session)
        watch.close()
        (tracker,) = machine.trackers
        assert tracker.log == ["start", "stop"] * 7 + ["start", "end"]  # trial, idle, 2 dropped, 3 windows, 1 open
        assert sampling == [False] * 6
        assert tracker.options["save_to_file"] is False

    def test_is_stopped_when_a_call_fails(self, machine: Machine, modelled: Any):
        def fail(batch: Any, probe: Any) -> None:
            raise MemoryError

        job = make_job(device=FakeDevice(machine), profiler={"energy": Energy(find=counting())})
        assert run(replace(job, engine=ScriptedEngine(ScriptedSystem(fail)))).status == "out_of_memory"
        assert machine.trackers[0].log[-1] == "end"

    @pytest.mark.parametrize(
        ("mode", "method"),
        [
            ("cpu_load", "estimated from cpu_load by codecarbon"),
            ("constant", "estimated from constant by codecarbon"),
            ("intel_power_gadget", "measured by intel_power_gadget through codecarbon"),
            ("windows_emi", "measured by windows_emi through codecarbon"),
        ],
    )
    def test_methods_of_the_processor(self, machine: Machine, mode: str, method: str):
        machine.hardware += [hardware(Meter(machine, "cpu", 5, 25), _mode=mode)]
        findings = measured(machine, Energy(find=counting()))
        assert findings.tags["energy/method_cpu"] == method
        assert findings.tags["energy/method"] == method.partition(" ")[0]
        assert findings.tags["energy/method_memory"] == "unavailable: no counter"

    def test_counters_that_were_refused_are_no_better_through_codecarbon(self, machine: Machine):
        machine.hardware += [hardware(Meter(machine, "cpu", 5, 25), _mode="intel_rapl")]
        findings = measured(machine, Energy(find=counting(cpu="RAPL is not readable")))
        assert findings.tags["energy/method_cpu"] == "unavailable: RAPL is not readable"

    def test_the_real_one(self):
        """No counter, half a second: joules of its model, quietly, and no thread of its own during a call."""
        threads: list[int] = []
        before = threading.active_count()

        def call(batch: Any, probe: Any) -> None:
            time.sleep(0.1)
            threads.append(threading.active_count())

        energy = Energy(windows=3, min_seconds=0.5, idle_seconds=0.5, find=counting())
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            watch = energy.watch(FakeDevice())
            session = make_session(ScriptedSystem(call), utterances([2.0]), watches={"energy": watch})
            watch.begin()
            findings = energy.measure(session)
            watch.close()
        found = values(findings)
        assert findings.tags["energy/method"] == "estimated"
        assert found["windows"] == 3
        assert found["total_j"] == pytest.approx(found["cpu_j"] + found["memory_j"])
        assert 1 < found["power_w"] < 2000
        assert found["per_sample_j"] == pytest.approx(2 * found["per_audio_second_j"])
        assert set(threads) == {before}
        assert said == []


@pytest.mark.parametrize(
    "option",
    [
        {"windows": 0},
        {"min_seconds": 0.4},
        {"min_seconds": math.nan},
        {"ticks": 0},
        {"max_seconds": -1.0},
        {"idle_seconds": 0.1},
    ],
)
def test_options(option: dict[str, Any]):
    (name,) = option
    with pytest.raises(ConfigError, match=rf"profiler\.energy\.{name} must be"):
        Energy(**option)
