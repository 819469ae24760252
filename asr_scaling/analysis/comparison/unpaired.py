"""Changes of metrics that no speech pairs, energy among them, by the records' own intervals.

The logarithms of two positive values differ with an error in which those of both add up as squares
(docs/method.md). Where a record's interval is of one process only, what the machine's processes
differ by is added to metrics that follow the time of a call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from asr_scaling.analysis.comparison.advice import Machine
from asr_scaling.analysis.comparison.change import (
    ENERGY,
    Advice,
    MetricChange,
    answered,
    in_points,
)
from asr_scaling.analysis.interval_scope import measured_by_one, of_one_process
from asr_scaling.core.energy_methods import GUESSED, METHOD, NOT_MEASURED, of_energy
from asr_scaling.core.levels import HOURS_FREEDOM, Part, combined
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval, student
from asr_scaling.core.time_intervals import follows_time


def missing(a: RunRecord, b: RunRecord, name: str) -> str:
    """Which of the two has no such figure, and why; empty when both have it."""
    return "; ".join(
        f"{side}: {record.unavailable.get(name, 'not measured')}"
        for side, record in (("A", a), ("B", b))
        if name not in record.values
    )


def energy_change(a: RunRecord, b: RunRecord, machine: Machine) -> MetricChange:
    """Joules per second of audio, where both were obtained alike."""
    ours, theirs = _methods(a), _methods(b)
    values = a.values.get(ENERGY), b.values.get(ENERGY)
    qualifier = ours.get(METHOD, "") if ours == theirs else ""
    reason = missing(a, b, ENERGY) or _guessed(a, b) or _unlike(ours, theirs)
    if reason:
        return MetricChange(ENERGY, *values, reason=reason, qualifier=qualifier)
    return replace(_judged(a, b, ENERGY, machine), qualifier=qualifier)


def unpaired_change(a: RunRecord, b: RunRecord, name: str, machine: Machine) -> MetricChange:
    """The two values, judged where both have an interval; a single reading is not judged."""
    ours, theirs = a.values.get(name), b.values.get(name)
    reason = missing(a, b, name) or (_guessed(a, b) if of_energy(name) else "")
    if ours is None or theirs is None or reason:
        return MetricChange(name, ours, theirs, reason=reason)
    if name in a.intervals and name in b.intervals:
        return _judged(a, b, name, machine)
    relative = theirs / ours - 1 if ours else None
    return MetricChange(name, ours, theirs, relative, theirs - ours)


def _judged(a: RunRecord, b: RunRecord, name: str, machine: Machine) -> MetricChange:
    """By the intervals of both records; energy alone may have none, with too few windows."""
    ours, theirs = a.values[name], b.values[name]
    own, its = a.intervals.get(name), b.intervals.get(name)
    relative = theirs / ours - 1 if ours else None
    because, interval = "too few windows", None
    advice = None
    if own and its and in_points(name):
        difference, half = theirs - ours, math.hypot(_half(own), _half(its))
        interval = Interval(difference - half, difference + half)
        because = "too little speech"
    elif own and its and min(ours, theirs, own.low, its.low) > 0:
        log, half = math.log(theirs / ours), _half_of_logs(a, b, name, machine)
        interval = Interval(math.expm1(log - half), math.expm1(log + half))
        because, advice = _because(name, half, machine)
        if any(measured_by_one(name, record.tags) for record in (a, b)):  # more don't measure it
            because, advice = replace(machine, processes=(1, 1)).because(half), None
    elif own and its:
        because = "an interval reaches 0"
    value = theirs - ours if in_points(name) else relative
    answer, verdict = answered(name, value or 0.0, interval, because, advice)
    change = relative, theirs - ours, interval, verdict
    return MetricChange(name, ours, theirs, *change, answer=answer, advice=advice)


def _because(name: str, half: float, machine: Machine) -> tuple[str, Advice | None]:
    """Why it can't be told, and what would narrow the interval."""
    if not follows_time(name):
        return f"the two intervals leave {machine.wide(half)}", None
    few = min(machine.processes)

    def advice(reach: float) -> str:
        return machine.decided_by(math.ceil(few * (half / reach) ** 2) if reach else None)

    return machine.because(half), advice


def _half_of_logs(a: RunRecord, b: RunRecord, name: str, machine: Machine) -> float:
    """Half the interval of the difference of the logarithms of two positive values."""
    parts = []
    for record in (a, b):
        own = record.intervals[name]
        error = math.log(own.high / own.low) / 2 / student(math.inf)
        parts.append(Part(error**2, math.inf))
        if not follows_time(name):
            continue
        spread = machine.spread
        if of_one_process(record.tags):
            parts.append(Part(spread.processes**2, spread.freedom, "machine"))
        if machine.hours and spread.hours is not None:
            parts.append(Part(spread.hours**2, HOURS_FREEDOM, "hours"))
    variance, freedom = combined(parts)
    return student(freedom) * math.sqrt(variance)


def _half(interval: Interval) -> float:
    return (interval.high - interval.low) / 2


def _guessed(a: RunRecord, b: RunRecord) -> str:
    """Why joules of guessed power can't be compared; empty where both were obtained otherwise."""
    guessed = any(record.tags.get(METHOD) == GUESSED for record in (a, b))
    return NOT_MEASURED if guessed else ""


def _unlike(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Why joules of these methods can't be compared; empty where they can."""
    if ours == theirs:
        return ""
    sums = [methods.get(METHOD, "unknown") for methods in (ours, theirs)]
    alike = sums[0] == sums[1]
    return f"the methods differ{' in a component' if alike else ': ' + ' and '.join(sums)}"


def _methods(record: RunRecord) -> dict[str, str]:
    """Of the sum and of each component; why one is unavailable makes no difference."""
    return {
        key: "unavailable" if method.startswith("unavailable") else method
        for key, method in record.tags.items()
        if key.startswith(METHOD)
    }
