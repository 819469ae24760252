"""What disturbed the timed pass: stolen time, other processes, page faults, clocks, throttling.

Reads the system's counters before the timed pass, between its calls and after it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from asr_scaling.core.cautions import BUSY_MACHINE, Caution, caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import noise_floor, trend
from asr_scaling.machine.environment import allowed_cores

STEAL_LIMIT = 0.01
OTHERS_LIMIT = 0.05
FREQUENCY_LIMIT = 0.10
"""Shares above which a record gets a caution."""
_PERIOD_S = 0.5
_NO_COUNTER = "this operating system keeps no such counter"
_FLOOR, _FAULTS = "noise/latency_floor", "noise/page_faults_per_s"
_NO_REPEATS = (
    "an A/A test needs repeated calls on the same input, three at least: raise pipeline.max_seconds"
)
_STILL_FASTER = "calls still got faster while they were timed (Mann-Kendall test, 5 %)"
_THROTTLE = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Counters:
    """Readings of the system's counters; None where the system has no such counter.

    wall_s: when they were read, in seconds of ``time.perf_counter``.
    cores: number of cores that this process may use; times are sums over them.
    busy_s: seconds that these cores were busy since boot.
    own_s: processor seconds of this process and its ended children.
    steal_s: seconds that the hypervisor took from these cores since boot.
    throttled: thermal throttling events since boot.
    frequency_hz: mean clock frequency.
    page_faults: of this process since it began, those that needed no disk.
    """

    wall_s: float
    cores: int
    busy_s: float
    own_s: float
    steal_s: float | None = None
    throttled: int | None = None
    frequency_hz: float | None = None
    page_faults: int | None = None


def read_counters() -> Counters:
    """The counters now. Costs about a millisecond."""
    every, own = psutil.cpu_times(percpu=True), os.times()
    cores = [every[i] for i in allowed_cores() if i < len(every)] or every
    return Counters(
        wall_s=time.perf_counter(),
        cores=len(cores),
        busy_s=sum(busy_and_all(core)[0] for core in cores),
        own_s=own.user + own.system + own.children_user + own.children_system,
        steal_s=sum(core.steal for core in cores) if hasattr(cores[0], "steal") else None,
        throttled=_throttle_events(),
        frequency_hz=frequency_hz(),
        page_faults=_page_faults(),
    )


def busy_and_all(times: Any) -> tuple[float, float]:
    """Seconds busy and in all of one core's psutil times.

    Time stolen by the hypervisor is not busy; a guest's time is in user time already (proc(5)).
    """
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "steal", 0.0), total


def frequency_hz() -> float | None:
    """Mean clock frequency of the cores, None where it can't be read."""
    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError, RuntimeError):
        return None
    return frequency.current * 1e6 if frequency and frequency.current else None


def _throttle_events() -> int | None:
    """Thermal throttling events of all cores since boot (Intel's thermal_throttle counters)."""
    files = sorted(_THROTTLE.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    try:
        return sum(int(file.read_text()) for file in files) if files else None
    except (OSError, ValueError):
        return None


def _page_faults() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class MachineWatch:
    """Watches the machine in the timed pass: ``look`` between calls, ``findings`` at the end."""

    def __init__(self, read: Callable[[], Counters] = read_counters) -> None:
        self._read, self._readings = read, [read()]

    def look(self) -> None:
        """Read the counters between two calls, at most twice a second."""
        if time.perf_counter() - self._readings[-1].wall_s >= _PERIOD_S:
            self._readings.append(self._read())

    def findings(self, samples: Sequence[Sample], steady: Sequence[Sample] = ()) -> Findings:
        """Shares over the timed pass, the noise floor of an A/A test, and cautions.

        samples: the timed calls.
        steady: calls of the warm-up on one input that showed no trend, for the A/A test.
        """
        self._readings.append(self._read())
        machine = _machine(self._readings)
        floor = noise_floor([*times_by_input(samples), [sample.total_s for sample in steady]])
        if floor is None:
            return replace(machine, unavailable={**machine.unavailable, _FLOOR: _NO_REPEATS})
        metric = Metric(_FLOOR, floor, len(samples))
        return replace(machine, metrics=(*machine.metrics, metric))


def by_input(samples: Iterable[Sample]) -> dict[tuple[str, ...], list[Sample]]:
    """Utterances of a call → the calls on them, in the order they were taken."""
    groups: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.utterances, []).append(sample)
    return groups


def times_by_input(samples: Iterable[Sample]) -> list[list[float]]:
    """Seconds of the calls on each input."""
    return [[sample.total_s for sample in calls] for calls in by_input(samples).values()]


def drift(samples: Sequence[Sample], warm: bool) -> tuple[Caution, ...]:
    """Cautions when calls got faster or slower while they were timed.

    warm: whether the warm-up ended because it was steady.
    """
    change = trend(times_by_input(samples))
    if change.falls:
        return (caution("WarmupIncomplete", seen=_STILL_FASTER),)
    if change.rises:
        return (caution("TimingDrift"),)
    if change.p is None and not warm:
        return (caution("WarmupIncomplete", seen="too few calls to test for a trend"),)
    return ()


def _machine(readings: Sequence[Counters]) -> Findings:
    first, last = readings[0], readings[-1]
    capacity_s = max(1e-9, (last.wall_s - first.wall_s) * last.cores)
    others = max(0.0, (last.busy_s - first.busy_s) - (last.own_s - first.own_s)) / capacity_s
    steal = None
    if first.steal_s is not None and last.steal_s is not None:
        steal = (last.steal_s - first.steal_s) / capacity_s
    clocks = [reading.frequency_hz for reading in readings if reading.frequency_hz]
    change = max(clocks) / min(clocks) - 1 if clocks else None
    low, high = min(clocks, default=0.0), max(clocks, default=0.0)
    rows: tuple[tuple[str, float | None, int, float, Caution], ...] = (
        ("noise/others_share", others, 1, OTHERS_LIMIT, caution(BUSY_MACHINE, share=others)),
        ("noise/steal_share", steal, 1, STEAL_LIMIT, caution("StolenTime", share=steal or 0.0)),
        (
            "noise/frequency_change",
            change,
            len(clocks),
            FREQUENCY_LIMIT,
            caution("FrequencyChanged", low_ghz=low / 1e9, high_ghz=high / 1e9),
        ),
    )
    faults = None
    if first.page_faults is not None and last.page_faults is not None:
        faults = (last.page_faults - first.page_faults) / max(1e-9, last.wall_s - first.wall_s)
    values = (*((name, value, n) for name, value, n, *_ in rows), (_FAULTS, faults, 1))
    events = 0 if first.throttled is None else (last.throttled or 0) - first.throttled
    throttled = caution("Throttled", events=f"{events} thermal events")
    return Findings(
        tuple(Metric(name, value, n) for name, value, n in values if value is not None),
        {name: _NO_COUNTER for name, value, _ in values if value is None},
        (
            *(warning for _, value, _, limit, warning in rows if (value or 0) > limit),
            *([throttled] if events > 0 else []),
        ),
    )
