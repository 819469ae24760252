"""What disturbed the timed pass: stolen time, other processes, clock changes, throttling.

Reads the system's counters before the timed pass, between its calls and after it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from asr_scaling.core.cautions import BUSY_MACHINE, Caution, caution
from asr_scaling.core.record import Findings, Metric, Sample
from asr_scaling.core.statistics import noise_floor, trend
from asr_scaling.machine.environment import allowed_cores

STEAL_LIMIT, OTHERS_LIMIT, FREQUENCY_LIMIT = 0.01, 0.05, 0.10
"""Shares above which a caution is raised."""
_PERIOD_S = 0.5
_NO_COUNTER = "this operating system keeps no such counter"
_THROTTLE = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Counters:
    """Seconds since boot, summed over the cores this process may use; None where the system doesn't tell.

    ``own_s``: processor time of this process and its ended children. ``throttled``: thermal throttling events.
    """

    wall_s: float
    cores: int
    busy_s: float
    own_s: float
    steal_s: float | None = None
    throttled: int | None = None
    frequency_hz: float | None = None


def read_counters() -> Counters:
    """The counters now. Costs about a millisecond."""
    every = psutil.cpu_times(percpu=True)
    own = os.times()
    cores = [every[i] for i in allowed_cores() if i < len(every)] or every
    return Counters(
        wall_s=time.perf_counter(),
        cores=len(cores),
        busy_s=sum(busy_and_all(core)[0] for core in cores),
        own_s=own.user + own.system + own.children_user + own.children_system,
        steal_s=sum(core.steal for core in cores) if hasattr(cores[0], "steal") else None,
        throttled=_throttle_events(),
        frequency_hz=frequency_hz(),
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
        found = psutil.cpu_freq()
    except (OSError, NotImplementedError, RuntimeError):
        return None
    return found.current * 1e6 if found and found.current else None


def _throttle_events() -> int | None:
    """Thermal throttling events of all cores since boot (Intel's thermal_throttle counters)."""
    files = sorted(_THROTTLE.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    try:
        return sum(int(file.read_text()) for file in files) if files else None
    except (OSError, ValueError):
        return None


class MachineWatch:
    """Watches the machine in the timed pass: ``look`` between calls, ``findings`` at the end."""

    def __init__(self, read: Callable[[], Counters] = read_counters) -> None:
        self._read = read
        self._seen = [read()]

    def look(self) -> None:
        """Between two calls; reads at most twice a second."""
        if time.perf_counter() - self._seen[-1].wall_s >= _PERIOD_S:
            self._seen.append(self._read())

    def findings(self, samples: Sequence[Sample], steady: Sequence[Sample] = ()) -> Findings:
        """Shares over the timed pass, the noise floor of an A/A test, and typed cautions with advice.

        ``steady``: calls of the warm-up that showed no trend; repeats of one input, they serve the A/A test too.
        """
        self._seen.append(self._read())
        metrics, unavailable, cautions = _machine(self._seen)
        floor = noise_floor([*times_by_input(samples), [sample.total_s for sample in steady]])
        if floor is None:
            unavailable["noise/latency_floor"] = (
                "an A/A test needs repeated calls on the same input, three at least: raise pipeline.max_seconds"
            )
        else:
            metrics.append(Metric("noise/latency_floor", floor, len(samples)))
        return Findings(tuple(metrics), unavailable, tuple(cautions))


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
    found = trend(times_by_input(samples))
    if found.falls:
        return (
            caution(
                "WarmupIncomplete",
                seen="calls still got faster while they were timed (Mann-Kendall test, 5 %)",
            ),
        )
    if found.rises:
        return (caution("TimingDrift"),)
    if found.p is None and not warm:
        return (caution("WarmupIncomplete", seen="too few calls to test for a trend"),)
    return ()


def _machine(seen: Sequence[Counters]) -> tuple[list[Metric], dict[str, str], list[Caution]]:
    first, last = seen[0], seen[-1]
    capacity = max(1e-9, (last.wall_s - first.wall_s) * last.cores)
    unavailable: dict[str, str] = {}
    told: list[Caution] = []
    others = max(0.0, (last.busy_s - first.busy_s) - (last.own_s - first.own_s)) / capacity
    metrics = [Metric("noise/others_share", others, 1)]
    if others > OTHERS_LIMIT:
        told.append(caution(BUSY_MACHINE, share=others))
    if first.steal_s is None or last.steal_s is None:
        unavailable["noise/steal_share"] = _NO_COUNTER
    else:
        steal = (last.steal_s - first.steal_s) / capacity
        metrics.append(Metric("noise/steal_share", steal, 1))
        if steal > STEAL_LIMIT:
            told.append(caution("StolenTime", share=steal))
    clocks = [counters.frequency_hz for counters in seen if counters.frequency_hz]
    if clocks:
        change = max(clocks) / min(clocks) - 1
        metrics.append(Metric("noise/frequency_change", change, len(clocks)))
        if change > FREQUENCY_LIMIT:
            low_ghz, high_ghz = min(clocks) / 1e9, max(clocks) / 1e9
            told.append(caution("FrequencyChanged", low_ghz=low_ghz, high_ghz=high_ghz))
    else:
        unavailable["noise/frequency_change"] = _NO_COUNTER
    if (
        first.throttled is not None
        and last.throttled is not None
        and last.throttled > first.throttled
    ):
        events = f"{last.throttled - first.throttled} thermal events"
        told.append(caution("Throttled", events=events))
    return metrics, unavailable, told
