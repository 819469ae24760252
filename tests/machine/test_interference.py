"""What else the machine did: shares from counters by hand, cautions at their limits,
drift of the samples."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.machine.interference import (
    FREQUENCY_LIMIT,
    OTHERS_LIMIT,
    STEAL_LIMIT,
    Counters,
    MachineWatch,
    by_input,
    drift,
    read_counters,
)

START = Counters(
    wall_s=100.0, cores=2, busy_s=50.0, own_s=10.0, steal_s=1.0, throttled=4, frequency_hz=3e9
)
CALM = replace(START, wall_s=110.0, busy_s=70.0, own_s=30.0)
"""Ten seconds on two cores, all of it this process's own."""


def watched(*counters: Counters, samples: Sequence[Sample] = ()) -> Findings:
    left = iter(counters)
    return MachineWatch(lambda: next(left)).findings(samples)


def sample(seconds: float, key: str = "u0") -> Sample:
    return Sample((key,), 1.0, 1.0, seconds, {"other": seconds})


def kinds(findings: Findings) -> list[str]:
    return [caution.kind for caution in findings.cautions]


def value(findings: Findings, name: str) -> float:
    return next(metric.value for metric in findings.metrics if metric.name == name)


def test_a_calm_machine():
    found = watched(START, CALM)
    assert value(found, "noise/others_share") == value(found, "noise/steal_share") == 0
    assert kinds(found) == []


@pytest.mark.parametrize(("factor", "expected"), [(0.99, []), (1.01, ["BusyMachine"])])
def test_load_of_other_processes(factor: float, expected: list[str]):
    """20 core seconds: the others' share is what was busy and not this process's own."""
    found = watched(START, replace(CALM, busy_s=70.0 + 20 * OTHERS_LIMIT * factor))
    assert value(found, "noise/others_share") == pytest.approx(OTHERS_LIMIT * factor)
    assert kinds(found) == expected


@pytest.mark.parametrize(("factor", "expected"), [(0.99, []), (1.01, ["StolenTime"])])
def test_stolen_time(factor: float, expected: list[str]):
    found = watched(START, replace(CALM, steal_s=1.0 + 20 * STEAL_LIMIT * factor))
    assert value(found, "noise/steal_share") == pytest.approx(STEAL_LIMIT * factor)
    assert kinds(found) == expected


def test_page_faults_by_the_second_of_the_timed_pass():
    found = watched(replace(START, page_faults=500), replace(CALM, page_faults=20_500))
    assert value(found, "noise/page_faults_per_s") == 2000
    assert "noise/page_faults_per_s" in watched(START, CALM).unavailable


@pytest.mark.skipif(not hasattr(mmap, "MADV_NOHUGEPAGE"), reason="only Linux has this advice")
def test_memory_that_is_touched_for_the_first_time_is_a_page_fault():
    with mmap.mmap(-1, 16 << 20) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        before = read_counters().page_faults
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1
        after = read_counters().page_faults
    assert before is not None
    assert after is not None
    assert after - before >= (16 << 20) // mmap.PAGESIZE


@pytest.mark.parametrize(("factor", "expected"), [(0.99, []), (1.01, ["FrequencyChanged"])])
def test_frequency(factor: float, expected: list[str]):
    found = watched(START, replace(CALM, frequency_hz=3e9 / (1 + FREQUENCY_LIMIT * factor)))
    assert value(found, "noise/frequency_change") == pytest.approx(FREQUENCY_LIMIT * factor)
    assert kinds(found) == expected


def test_throttling():
    found = watched(START, replace(CALM, throttled=6))
    assert kinds(found) == ["Throttled"]
    assert "2 thermal events" in found.cautions[0].message


def test_what_the_system_does_not_tell_is_unavailable():
    silent = replace(START, steal_s=None, throttled=None, frequency_hz=None)
    found = watched(silent, replace(silent, wall_s=110.0))
    assert {"noise/steal_share", "noise/frequency_change"} <= set(found.unavailable)
    assert not {"noise/steal_share", "noise/frequency_change"} & {
        metric.name for metric in found.metrics
    }


def test_the_real_counters_see_another_process():
    """A child that computes for a while; busy time is counted in ticks of 10 ms."""
    code = (
        "import time\nprint('go', flush=True)\nend = time.time() + 30\n"
        "while time.time() < end: pass"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        before = read_counters()
        while (now := read_counters()).wall_s - before.wall_s < 0.5:
            pass
        child.kill()
    others = (now.busy_s - before.busy_s) - (now.own_s - before.own_s)
    assert others > 0.05


class TestNoiseFloor:
    def test_is_of_repeats_of_the_same_input(self):
        found = watched(START, CALM, samples=[sample(t, key) for t in (1.0, 1.0) for key in "abc"])
        assert value(found, "noise/latency_floor") == 0.0

    def test_needs_repeats(self):
        found = watched(START, CALM, samples=[sample(1.0, key) for key in "abcdef"])
        assert "repeated" in found.unavailable["noise/latency_floor"]

    def test_groups_by_input_in_order(self):
        calls = by_input([sample(1.0, "a"), sample(2.0, "b"), sample(3.0, "a")])
        times = {names: [call.total_s for call in those] for names, those in calls.items()}
        assert times == {
            ("a",): [1.0, 3.0],
            ("b",): [2.0],
        }


class TestDrift:
    FALLING = tuple(sample(t) for t in (9.0, 8.0, 7.0, 6.0, 5.0, 4.0))

    @pytest.mark.parametrize("warm", [True, False])
    def test_calls_that_get_faster_were_not_warm(self, warm: bool):
        assert [c.kind for c in drift(self.FALLING, warm)] == ["WarmupIncomplete"]

    @pytest.mark.parametrize("warm", [True, False])
    def test_calls_that_get_slower_drift(self, warm: bool):
        assert [c.kind for c in drift(self.FALLING[::-1], warm)] == ["TimingDrift"]

    def test_steady_calls_show_that_it_was_warm(self):
        assert drift([sample(1.0)] * 6, warm=False) == ()

    def test_too_few_calls_show_nothing(self):
        assert [c.kind for c in drift(self.FALLING[:3], warm=False)] == ["WarmupIncomplete"]
        assert drift(self.FALLING[:3], warm=True) == ()
