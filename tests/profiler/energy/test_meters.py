"""Each kind of meter: RAPL's folders, NVML, codecarbon."""

from __future__ import annotations

import math
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.fakes import (
    FakeDevice,
    ScriptedEngine,
    ScriptedSystem,
    altered,
    make_job,
    make_session,
    utterances,
)
from support.metered import (
    Gpu,
    Machine,
    Meter,
    counting,
    hardware,
    measured,
    values,
    work,
)

from asr_scaling.core.energy_methods import GIVEN, power_known
from asr_scaling.core.record import Findings
from asr_scaling.errors import ConfigError
from asr_scaling.measure.job import run
from asr_scaling.profiler.energy import Energy, meters
from asr_scaling.profiler.energy.meters import find_counters


class PowerCap:
    """Linux's powercap tree in a folder, its counters drawing power."""

    def __init__(self, machine: Machine, folder: Path, limit_uj: int = 262_143_328_850) -> None:
        self.machine, self.folder, self.limit_uj = machine, folder, limit_uj

    def zone(
        self, path: str, name: str, start_uj: int, watts: tuple[float, float] = (1000.0, 1000.0)
    ) -> Path:
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
        tree.zone(
            "intel-rapl:0:2", "dram", 40_000_000
        )  # the same zones stand flat in the class, too
        tree.zone("intel-rapl:1", "psys", 50_000_000)
        tree.zone("intel-rapl-mmio:0", "package-0", 60_000_000)
        findings = self.found(machine, tmp_path)
        found = values(findings)
        assert (found["cpu_j"], found["memory_j"], found["total_j"]) == pytest.approx(
            (90.0, 12.0, 102.0)
        )
        assert findings.tags["energy/method"] == "measured"
        assert (
            findings.tags["energy/method_cpu"]
            == findings.tags["energy/method_memory"]
            == "measured by RAPL"
        )
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
        assert (
            f"{zone / 'energy_uj'} can't be read (No such file or directory)"
            in findings.cautions[0].message
        )

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
        meters = {
            "GPU-aaaa": Meter(machine, "gpu", 1, 1, 0.1),
            "GPU-bbbb": Meter(machine, "gpu", 50, 150, 0.1),
        }
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
        self,
        machine: Machine,
        nvml: FakeNvml,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        uuid: str,
    ):
        """150 W for three windows of fifty ticks of 100 ms;
        a window is ten calls of one utterance."""
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
        assert (
            findings.tags["energy/method_gpu"]
            == "unavailable: NVML knows no energy of cuda:0: Not Supported"
        )
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
    def test_reads_at_the_ends_of_windows_and_samples_in_no_call(
        self, machine: Machine, modelled: Any
    ):
        sampling: list[bool] = []
        energy = Energy(find=counting())
        watch = energy.watch(FakeDevice(machine))
        system = work(machine)
        script = system.script
        system.script = lambda batch, probe: (
            sampling.append(machine.trackers[0].sampling),
            script(batch, probe),
        )[1]
        session = make_session(system, utterances([1.0]), watches={"energy": watch})
        watch.begin()
        energy.measure(session)
        watch.close()
        (tracker,) = machine.trackers
        assert tracker.log == ["start", "stop"] * 7 + [
            "start",
            "end",
        ]  # trial, idle, 2 dropped, 3 windows, 1 open
        assert sampling == [False] * 6
        assert tracker.options["save_to_file"] is False

    def test_is_stopped_when_a_call_fails(self, machine: Machine, modelled: Any):
        def fail(batch: Any, probe: Any) -> None:
            raise MemoryError

        job = make_job(device=FakeDevice(machine), profiler={"energy": Energy(find=counting())})
        assert (
            run(altered(job, engine=ScriptedEngine(ScriptedSystem(fail)))).status == "out_of_memory"
        )
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
        """No counter, half a second: joules of its model, quietly,
        and no thread of its own during a call."""
        threads: list[int] = []
        before = threading.active_count()

        def call(batch: Any, probe: Any) -> None:
            time.sleep(0.1)
            threads.append(threading.active_count())

        energy = Energy(windows=3, min_seconds=0.5, idle_seconds=0.5, find=counting())
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            watch = energy.watch(FakeDevice())
            session = make_session(
                ScriptedSystem(call), utterances([2.0]), watches={"energy": watch}
            )
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


WATTS = {"idle_w": 8.0, "busy_w": 35.0, "watts_from": "meter at the plug"}


class TestGivenWatts:
    """A machine of which two cores of four are busy during a call, and none outside of one."""

    @pytest.fixture
    def load(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Meter:
        """Shares of a second that all cores were busy: what psutil counts since boot."""
        share = Meter(machine, "load", 0.0, 0.5)
        monkeypatch.setattr(meters, "_busy_share_s", share.joules)
        monkeypatch.setattr(meters, "time", machine.as_time())
        return share

    def test_joules_follow_the_load(self, machine: Machine, load: Meter):
        """8 W and half of the 27 W between idle and busy: 21.5 W in windows of two calls."""
        findings = measured(machine, Energy(find=counting(), **WATTS))
        found = values(findings)
        assert found["power_w"] == pytest.approx(21.5)
        assert found["idle_power_w"] == pytest.approx(8.0)
        assert found["per_sample_j"] == pytest.approx(21.5 / 2)
        assert found["net_per_sample_j"] == pytest.approx(13.5 / 2)
        assert power_known(findings.tags)
        assert findings.tags["energy/method"] == GIVEN
        assert findings.tags["energy/method_cpu"] == (
            f"{GIVEN}: 8 W idle, 35 W with all cores busy (meter at the plug)"
        )
        assert findings.unavailable["energy/memory_j"] == "within the given watts"
        assert [caution.kind for caution in findings.cautions] == ["GivenWatts"]
        assert machine.trackers == [], "nothing is guessed beside what was given"

    def test_a_system_that_sleeps_takes_the_idle_watts(self, machine: Machine, load: Meter):
        load.busy_w = 0.0
        assert values(measured(machine, Energy(find=counting(), **WATTS)))[
            "power_w"
        ] == pytest.approx(8.0)

    def test_they_count_instead_of_a_counter_of_the_processor(self, machine: Machine, load: Meter):
        findings = measured(machine, Energy(find=counting(Meter(machine, "cpu", 1, 2)), **WATTS))
        assert values(findings)["power_w"] == pytest.approx(21.5)

    def test_a_gpus_counter_stays_what_a_gpu_run_is_measured_by(
        self, machine: Machine, load: Meter
    ):
        board = Meter(machine, "gpu", 50, 150)
        findings = measured(machine, Energy(find=counting(board), **WATTS), device=Gpu(machine))
        assert findings.tags["energy/method"] == "measured"
        assert values(findings)["power_w"] == pytest.approx(150.0)

    @pytest.mark.parametrize(
        "changes",
        [
            {"idle_w": None},
            {"busy_w": None},
            {"watts_from": None},
            {"watts_from": " "},
            {"idle_w": 0.0},
            {"idle_w": 36.0},
            {"busy_w": math.inf},
            {"idle_w": math.nan},
        ],
    )
    def test_half_of_it_is_refused(self, changes: dict[str, Any]):
        with pytest.raises(ConfigError, match="watts_from='meter at the plug'"):
            Energy(**{**WATTS, **changes})

    def test_psutil_counts_this_machines_load(self):
        before = meters._busy_share_s()
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        assert meters._busy_share_s() > before
