"""What calls, processes and hours each add to the variance of a time, and a plan made of it.

Kalibera & Jones 2013, Rigorous benchmarking in reasonable time, sections 5 and 6: levels are
nested, calls in processes in hours; repeating is worth its time at the level that adds much and
costs little. For equal numbers of calls and processes the estimates are theirs; for unequal ones
they are the analysis of variance's, each mean square set equal to its expectation (Henderson's
method I: Searle, Casella & McCulloch 1992, Variance Components, sections 3.6 and 5.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from asr_scaling.core.levels import MOST_PROCESSES
from asr_scaling.core.statistics import student

MOST_CALLS = 10_000
"""More calls in a process are not advised."""
Nested: TypeAlias = "Sequence[float] | Sequence[Nested]"
"""Logarithms in the order process → call, or hour → process → call; groups differ in size."""


@dataclass(frozen=True)
class Components:
    """Variances of the logarithm of a time.

    calls: between calls of one process.
    processes: between processes that follow one another, beyond what their calls differ by.
    hours: between hours, beyond that; None where the values are of one hour.
    """

    calls: float
    processes: float
    hours: float | None = None


@dataclass(frozen=True)
class Plan:
    """What would bring the interval of a mean to a precision.

    calls: timed calls in each process.
    processes: how many, one after the other.
    seconds: that they would take.
    half_width: half the interval's width, a logarithm.
    """

    calls: int
    processes: int
    seconds: float
    half_width: float


def components(nested: Nested, fitted: int = 0) -> Components:
    """Variance components of two levels (process → calls) or three (hour → process → calls).

    nested: logarithms of times of the same work; where speech differs, what is left of them
        without the speech's mean. An estimate below 0 is 0.
    fitted: degrees of freedom that the calls lost to these means: inputs less one.

    Raises ValueError where a level was not repeated, so that it has no degree of freedom.
    """
    depth = _depth(nested)
    if depth not in (2, 3):
        raise ValueError("Variance components are of two or three nested levels.")
    found: list[float] = []  # from the innermost level outwards
    for level in range(depth, 0, -1):
        lost = fitted if level == depth else 0
        freedom = _count(nested, level) - _count(nested, level - 1) - lost
        if freedom <= 0:
            raise ValueError(f"Level {level} of {depth} was not repeated: nothing tells its share.")
        rest = math.fsum(
            variance * _coefficient(nested, level, depth - i) for i, variance in enumerate(found)
        )
        squares = _squares(nested, level) - _squares(nested, level - 1)
        found.append((squares - rest) / (_coefficient(nested, level, level) - lost))
    calls, processes, *hours = (max(0.0, variance) for variance in found)
    return Components(calls, processes, hours[0] if hours else None)


def plan(
    of: Components,
    costs_s: tuple[float, float],
    precision: float,
    *,
    known_freedom: float = 0.0,
    fewest_calls: int = 1,
    calls_in_all: float = 0.0,
) -> Plan | None:
    """The cheapest plan whose interval of 95 % is ± ``precision``, a logarithm, or less.

    costs_s: seconds of a call, and of starting a process until its first timed call; above 0.
    known_freedom: degrees of freedom that the machine's known spread adds (core/levels.py).
    fewest_calls: of a process.
    calls_in_all: fewest calls of all processes together.

    Of each number of processes the fewest calls that are enough, and of these the cheapest: with
    many processes it comes to √(cost of a process / cost of a call · variance of calls / variance
    of processes) calls in each (Kalibera & Jones 2013, section 6.1). None where more than
    ``MOST_PROCESSES`` would be needed. A variance between hours is not part of it: no plan within
    one hour lessens it.
    """
    call_s, process_s = costs_s
    plans = []
    for processes in range(2, MOST_PROCESSES + 1):
        quantile = student(processes - 1 + known_freedom)
        left = processes * (precision / quantile) ** 2 - of.processes
        if left <= 0:
            continue
        calls = max(fewest_calls, math.ceil(of.calls / left), math.ceil(calls_in_all / processes))
        if calls > MOST_CALLS:
            continue
        half = quantile * math.sqrt((of.processes + of.calls / calls) / processes)
        plans.append(Plan(calls, processes, processes * (process_s + calls * call_s), half))
    return min(plans, key=lambda plan: plan.seconds, default=None)


def _depth(nested: Nested) -> int:
    return 1 + _depth(nested[0]) if isinstance(nested[0], Sequence) else 1


def _groups(nested: Nested, level: int) -> Iterator[Nested]:
    """Groups that one value of ``level`` is drawn for: 0 is all of it, the last a call each."""
    if level == 0:
        yield nested
    else:
        for part in nested:
            yield from _groups(part if isinstance(part, Sequence) else [part], level - 1)


def _values(nested: Nested) -> Iterator[float]:
    for part in nested:
        if isinstance(part, Sequence):
            yield from _values(part)
        else:
            yield part


def _count(nested: Nested, level: int) -> int:
    return sum(1 for _ in _groups(nested, level))


def _over(nested: Nested, level: int, square: Callable[[Nested], float]) -> float:
    """Sum over the groups of ``level`` of a figure of each over the number of its calls."""
    return math.fsum(square(group) / _size(group) for group in _groups(nested, level))


def _size(nested: Nested) -> int:
    return sum(1 for _ in _values(nested))


def _squares(nested: Nested, level: int) -> float:
    """Uncorrected sum of squares of ``level``: over its groups, total² over number of calls."""
    return _over(nested, level, lambda group: math.fsum(_values(group)) ** 2)


def _coefficient(nested: Nested, level: int, component: int) -> float:
    """How often the sum of squares of ``level`` is expected to hold the variance of another."""

    def squares(group: Nested, below: int) -> float:
        return math.fsum(_size(part) ** 2 for part in _groups(group, below))

    own = _over(nested, level, lambda group: squares(group, component - level))
    return own - _over(nested, level - 1, lambda group: squares(group, component - level + 1))
