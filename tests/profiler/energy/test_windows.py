"""Energy by windows: exact arithmetic, intervals, net of the idle machine, provenance,
never a 0 for the unknown."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from support.fakes import FakeDevice, ScriptedEngine, altered, make_job, make_session, utterances
from support.metered import (
    NONE,
    TOTALS,
    Gpu,
    Machine,
    Meter,
    counting,
    hardware,
    measured,
    values,
    work,
)

from asr_scaling.core.energy_methods import NOT_MEASURED
from asr_scaling.core.ports import Session
from asr_scaling.core.statistics import ratio_interval
from asr_scaling.errors import ConfigError
from asr_scaling.measure.job import run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.energy import Energy


def watched(machine: Machine, calls: int) -> tuple[Energy, Session]:
    """A session whose timed pass, so many calls of half a second, was watched."""
    energy = Energy(find=counting())
    watch = energy.watch(FakeDevice(machine))
    session = make_session(work(machine), utterances([1.0]), watches={"energy": watch})
    watch.begin()
    for _ in range(calls):
        session.transcribe(session.batches[0])
        watch.after(session.batches[0])
    return energy, session


def test_joules_of_counters(machine: Machine):
    """A window of 1 s is two calls: 2 utterances, 4 s of audio, 30 + 4 J;
    10 + 2 W of them are the idle machine's."""
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


@pytest.mark.parametrize(("busy", "off"), [(True, 1e-3), (False, 0.015)])
def test_joules_and_seconds_of_probes_between_calls_are_not_those_of_calls(
    machine: Machine, busy: bool, off: float
):
    """Calls of half a second at 30 W with 15 ms of a probe between them: right where the probe
    draws as much, and within 1.5 % where it draws half as much."""
    watch = Energy(find=counting(Meter(machine, "cpu", 15, 30))).watch(FakeDevice(machine))
    session = make_session(work(machine), utterances([1.0]), watches={"energy": watch})
    watch.begin()
    for _ in range(12):
        machine.busy = busy
        machine.sleep(0.015)
        watch.beside(0.015)
        session.transcribe(session.batches[0])
        watch.after(session.batches[0])
    windows = watch.readings.windows
    assert [window.seconds for window in windows] == pytest.approx([1.0] * len(windows))
    assert sum(window.samples for window in windows) == 12
    joules = [window.joules["cpu"] for window in windows]
    assert joules == pytest.approx([30.0] * len(windows), rel=off)


def test_several_counters_of_a_component_add_up(machine: Machine):
    sockets = Meter(machine, "cpu", 10, 30), Meter(machine, "cpu", 10, 12)
    assert values(measured(machine, Energy(find=counting(*sockets))))["cpu_j"] == pytest.approx(
        126.0
    )


class TestWindows:
    def test_the_defaults_give_a_gpu_enough_of_them_for_an_interval(self, machine: Machine):
        """NVML's tick of 0.1 s makes windows of 5 s:
        one in the 8 s of a timed pass, and two more."""
        board = Meter(machine, "gpu", 50, 400, tick_s=0.1, method="measured by NVML")
        found = measured(
            machine, Energy(find=counting(board)), calls=80, seconds=(0.1,), device=Gpu(machine)
        )
        assert values(found)["windows"] == 3
        assert values(found)["ticks"] >= 50
        assert found.tags["energy/method"] == "measured"
        intervals = {metric.name for metric in found.metrics if metric.interval is not None}
        assert {"energy/per_sample_j", "energy/net_per_sample_j"} <= intervals

    def test_last_fifty_ticks(self, machine: Machine, modelled: Any):
        """NVML's counter ticks every 100 ms:
        5 s a window, and the processor's 1 ms does not matter."""
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
        assert values(measured(machine, Energy(find=counting()), seconds=(0.7,)))[
            "window_s"
        ] == pytest.approx(1.4)

    def test_of_the_timed_pass_are_enough(self, machine: Machine, modelled: Any):
        """Eleven calls of half a second: five windows, the last call is in none,
        and no call is added."""
        seen: list[str] = []
        energy, session = watched(machine, calls=11)
        session.system.script = lambda batch, probe: seen.append("called")
        assert values(energy.measure(session))["windows"] == 5
        assert seen == []

    def test_missing_ones_are_made_up_without_what_happened_between(
        self, machine: Machine, modelled: Any
    ):
        """Three timed calls are one window and a half;
        the half, and the pause after it, count nowhere."""
        energy, session = watched(machine, calls=3)
        machine.sleep(100.0)
        found = energy.measure(session)
        assert values(found)["windows"] == 3
        assert values(found)["total_j"] == pytest.approx(3 * 45.0)
        assert machine.trackers[0].log.count("start") == 1 + 2 + 2 + 3, (
            "trial, idle, timed pass, own calls"
        )

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
        assert machine.perf_counter() == pytest.approx(
            0.7 + 5.0, abs=0.01
        )  # seven changes, then fifty ticks
        Energy(find=counting(meter), idle_seconds=0).watch(FakeDevice(machine))
        assert machine.perf_counter() == pytest.approx(0.7 + 5.0 + 0.7, abs=0.11)

    def test_a_slow_counter_does_not_make_idling_endless(self, machine: Machine, modelled: Any):
        Energy(find=counting(Meter(machine, "cpu", 50, 150, tick_s=0.5))).watch(FakeDevice(machine))
        assert machine.perf_counter() == pytest.approx(1.5 + 5.0, abs=0.01)


class TestIntervals:
    def test_come_from_the_spread_of_windows(self, machine: Machine):
        """Windows of 1.0, 1.2 and 1.4 s at 30 W, one utterance each: 30, 36 and 42 J."""
        energy = Energy(
            find=counting(Meter(machine, "cpu", 10, 30), Meter(machine, "memory", 0.5, 0.5))
        )
        findings = measured(machine, energy, seconds=(1.0, 1.2, 1.4), durations=(2.0,))
        joules = [30.5, 36.6, 42.7]
        found = {metric.name: metric for metric in findings.metrics}
        assert findings.repeats["energy/per_sample_j"] == pytest.approx(joules)
        assert findings.repeats["energy/per_audio_second_j"] == pytest.approx(
            [j / 2 for j in joules]
        )
        half = (
            4.302652729911275 * 6.1 / math.sqrt(3)
        )  # Student's t of two degrees of freedom, at 97.5 %
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

    def test_two_windows_have_none(self, machine: Machine):
        meter = Meter(machine, "cpu", 25, 45)
        findings = measured(machine, Energy(find=counting(meter), windows=2))
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
        findings = measured(
            machine, Energy(find=counting(meter), max_seconds=60), seconds=(1.0, 5.0, 1.0)
        )
        assert "can't be told from 0" in findings.unavailable["energy/net_per_sample_j"]

    def test_needs_an_idle_reading(self, machine: Machine):
        meter = Meter(machine, "cpu", 25, 45)
        findings = measured(machine, Energy(find=counting(meter), idle_seconds=0))
        assert "idle_seconds" in findings.unavailable["energy/net_per_sample_j"]
        assert "idle_power_w" not in values(findings)
        assert values(findings)["per_sample_j"] == pytest.approx(22.5)


class TestProvenance:
    def test_without_counters_everything_is_estimated(self, machine: Machine, modelled: Any):
        findings = measured(machine, Energy(find=counting(cpu="RAPL is not readable")))
        assert values(findings)["total_j"] == pytest.approx(3 * 45.0)
        assert "ticks" not in values(findings)
        assert findings.tags["energy/method"] == "estimated"
        assert {metric.interval for metric in findings.metrics} - {None} == {
            ends for m in findings.metrics if m.name == "energy/window_s" and (ends := m.interval)
        }, "the spread of a guess says nothing of its error"
        assert findings.repeats == {}
        for name in ("net_per_sample_j", "net_per_audio_second_j", "idle_power_w"):
            assert findings.unavailable[f"energy/{name}"] == NOT_MEASURED
        assert findings.tags["energy/method_cpu"] == "estimated from cpu_load by codecarbon"
        assert findings.tags["energy/method_memory"] == "estimated from memory size by codecarbon"
        (caution,) = findings.cautions
        assert caution.kind == "EstimatedEnergy"
        assert "cpu from cpu_load by codecarbon (RAPL is not readable)" in caution.message
        assert "about 45 W that were guessed" in caution.message

    def test_estimates_stay_out_of_a_measured_total(self, machine: Machine, modelled: Any):
        """A processor with a counter, memory without one:
        the model's 20 W of memory stand beside the total."""
        findings = measured(machine, Energy(find=counting(Meter(machine, "cpu", 10, 30))))
        found = values(findings)
        assert (found["total_j"], found["cpu_j"], found["memory_j"]) == pytest.approx(
            (90.0, 90.0, 60.0)
        )
        assert found["idle_power_w"] == pytest.approx(10.0)
        assert findings.tags["energy/method"] == "measured"
        assert findings.tags["energy/method_memory"].startswith("estimated")
        assert findings.cautions == ()

    def test_a_gpu_run_is_measured_when_the_gpu_is(self, machine: Machine, modelled: Any):
        findings = measured(
            machine, Energy(find=counting(Meter(machine, "gpu", 50, 150))), device=Gpu(machine)
        )
        found = values(findings)
        assert (found["total_j"], found["gpu_j"], found["cpu_j"]) == pytest.approx(
            (450.0, 450.0, 75.0)
        )
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
        record = run(altered(job, engine=ScriptedEngine(work(machine))))
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
        assert (
            findings.tags["energy/method_cpu"]
            == "unavailable: its meter counted nothing in a window"
        )
        assert set(findings.unavailable) >= {
            f"energy/{name}" for name in (*TOTALS, "cpu_j", "gpu_j")
        }

    def test_a_counter_that_stands_still_gives_way_to_the_model(
        self, machine: Machine, modelled: Any
    ):
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
        """It vanishes before the timed pass, within its first window,
        or after all windows but the last."""
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

    def test_a_model_that_fails_leaves_the_counters(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(sys.modules, "codecarbon", None)
        findings = measured(machine, Energy(find=counting(Meter(machine, "cpu", 10, 30))))
        assert values(findings)["total_j"] == pytest.approx(90.0)
        assert "codecarbon failed" in findings.unavailable["energy/memory_j"]


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
