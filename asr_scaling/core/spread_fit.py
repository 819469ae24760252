"""A machine's spread from several systems that it measured, and what hours add to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

HOUR_S = 3600.0
FEWEST_SYSTEMS = 3
"""Fewer say nothing of how unlike systems are in their spread."""
FEWEST_HOURS = 3
FEWEST_MINUTES = 3
"""Degrees of freedom below which nothing is said of what minutes differ by."""
_LEAST_FREEDOM = 1.0
_SMALLEST = 1e-12
"""Variances are not taken to be smaller: 0 has no logarithm."""


def fitted(variances: Sequence[float], freedoms: Sequence[float]) -> tuple[float, float]:
    """The typical variance between processes, and the degrees of freedom that it counts for.

    variances: of each system; at least ``FEWEST_SYSTEMS`` of them.
    freedoms: degrees of freedom of each.

    Smyth 2004, section 6.2: the true variances of systems are taken as draws of a scaled inverse
    chi-square distribution, whose two parameters follow from mean and variance of the logarithms.
    The more alike systems are in their spread, the more it counts: from 1 to as many degrees of
    freedom as the systems have together. Where they differ by no more than chance would make them
    it is their mean, weighted by degrees of freedom.
    """
    from scipy.special import digamma, polygamma

    n = len(variances)
    halves = [freedom / 2 for freedom in freedoms]
    logs = [
        math.log(max(_SMALLEST, variance)) - float(digamma(half)) + math.log(half)
        for variance, half in zip(variances, halves, strict=True)
    ]
    mean = math.fsum(logs) / n
    unlike = math.fsum((x - mean) ** 2 for x in logs) / (n - 1)
    unlike -= math.fsum(float(polygamma(1, half)) for half in halves) / n
    most = math.fsum(freedoms)
    if unlike <= 0:  # no more than chance makes them
        pooled = math.fsum(v * own for v, own in zip(variances, freedoms, strict=True)) / most
        return pooled, most
    freedom = max(_LEAST_FREEDOM, min(most, 2 * _inverse_trigamma(unlike)))
    return math.exp(mean + float(digamma(freedom / 2)) - math.log(freedom / 2)), freedom


def _inverse_trigamma(value: float) -> float:
    """x with trigamma(x) = value > 0: bisection of its logarithm, trigamma falls with x."""
    from scipy.special import polygamma

    low, high = -20.0, 20.0
    for _ in range(100):
        middle = (low + high) / 2
        if float(polygamma(1, math.exp(middle))) > value:
            low = middle
        else:
            high = middle
    return math.exp(low)


def between_hours(
    systems: Sequence[Sequence[tuple[float, Sequence[float]]]], processes: float
) -> float | None:
    """Variance between hours of the logarithm of a time, beyond what processes differ by.

    systems: of each the times in s when it was measured, and the logarithms of its processes then.
    processes: variance between processes of one hour.

    None where none was measured in ``FEWEST_HOURS`` hours.
    """
    hours = [[list(chain.from_iterable(hour)) for hour in _hours(system)] for system in systems]
    found = _beyond([own for own in hours if len(own) >= FEWEST_HOURS], processes)
    return None if found is None else found[0]


def between_minutes(
    systems: Sequence[Sequence[tuple[float, Sequence[float]]]], processes: float
) -> tuple[float, float] | None:
    """Variance between measurements of one hour, beyond what their processes differ by.

    systems, processes: as of ``between_hours``.

    With its degrees of freedom; None of fewer than ``FEWEST_MINUTES``.
    """
    found = _beyond([hour for system in systems for hour in _hours(system)], processes)
    return None if found is None or found[1] < FEWEST_MINUTES else found


def _beyond(
    groups: Sequence[Sequence[Sequence[float]]], within: float
) -> tuple[float, float] | None:
    """Variance of means, less what ``within`` contributes, with its degrees of freedom.

    groups: of values that have one mean but for that variance; each of sets of values, which have
        the variance ``within``.

    core/variance_components.py does it where both are estimated from the same values. Over groups
    by degrees of freedom; below 0 it is 0. None where no group has two sets.
    """
    total, freedom = 0.0, 0
    for sets in groups:
        means = [math.fsum(values) / len(values) for values in sets]
        mean = math.fsum(means) / len(means)
        own = within * math.fsum(1 / len(values) for values in sets) / len(sets)
        total += math.fsum((x - mean) ** 2 for x in means) - (len(sets) - 1) * own
        freedom += len(sets) - 1
    return (max(0.0, total / freedom), float(freedom)) if freedom else None


def _hours(system: Sequence[tuple[float, Sequence[float]]]) -> list[list[Sequence[float]]]:
    """The measurements' logarithms in groups that begin more than an hour apart."""
    hours: list[list[Sequence[float]]] = []
    began = -math.inf
    for at, logs in sorted(system, key=lambda entry: entry[0]):
        if not logs:
            continue
        if at - began > HOUR_S:
            hours.append([])
            began = at
        hours[-1].append(logs)
    return hours
