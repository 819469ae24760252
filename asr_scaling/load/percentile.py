"""Percentiles of latencies under load, with intervals that know that requests wait for each other.

Requests without a text have an infinite latency: they are in every percentile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.statistics import Interval, student
from asr_scaling.load.cycles import answered, cycles

_Floats = NDArray[np.float64]
_TAIL = 0.025


@dataclass(frozen=True)
class LatencyPercentile:
    """A percentile of the latencies of one load.

    value_s: the sample's; inf where so many requests have no text.
    interval_s: of the percentile of the same load without end; its upper end is inf where the
        load was too short to bound it.
    independent: independent requests that would say as much.
    """

    value_s: float
    interval_s: Interval
    independent: float


def latency_percentile(due_s: _Floats, latency_s: _Floats, p: float) -> LatencyPercentile:
    """The ``p``-th percentile (0…100) of the latencies.

    due_s: when each request was due, in order. latency_s: of each, not empty; inf without a text.

    Woodruff 1952, Confidence intervals for medians and other position measures, JASA 47: an
    interval of the share of requests below the percentile is read off the sorted latencies. The
    share's interval is Clopper & Pearson's with the effective number of requests (Korn & Graubard
    1998, Survey Methodology 24); how much fewer that is than all follows from the cycles of the
    queue (load/cycles.py), with the degrees of freedom that their unequal weight leaves
    (Satterthwaite 1946). In simulated queues (utilisation 0.6 and 0.85, 1,000 and 4,000 requests,
    p50, p95, p99) it holds the truth in 88–100 %, batch means in 32–97 %.
    """
    from scipy.special import betaincinv

    count, share = len(latency_s), p / 100
    ordered = np.sort(latency_s)
    value = sample_percentile(latency_s, p)
    effective = independent(due_s, latency_s, latency_s > value)
    below = share * effective
    low = betaincinv(below, effective - below + 1, _TAIL)
    high = betaincinv(below + 1, effective - below, 1 - _TAIL)
    bounded = high * count <= count - 0.5
    top = float(ordered[_rank(high, count)]) if bounded else float("inf")
    bottom = float(ordered[max(int(low * count) - 1, 0)])
    return LatencyPercentile(value, Interval(bottom, top), effective)


def sample_percentile(latency_s: _Floats, p: float) -> float:
    """The smallest latency that ``p`` percent (0…100) of them do not exceed; they may be inf."""
    return float(np.partition(latency_s, rank := _rank(p / 100, len(latency_s)))[rank])


def independent(due_s: _Floats, latency_s: _Floats, late: NDArray[np.bool_]) -> float:
    """How many independent requests say as much of the share of ``late`` ones."""
    count = len(late)
    share = max(float(late.mean()), 0.5 / count)
    sums = np.bincount(cycles(due_s, answered(due_s, latency_s)), weights=late - share)
    squares = sums**2
    total = float(squares.sum())
    if total == 0:
        return float(count)
    inflation = max(1.0, total / (count * share * (1 - share)))
    freedom = max(total**2 / float((squares**2).sum()) - 1, 1.0)
    wider = (student(np.inf) / student(freedom)) ** 2
    return min(count / inflation * wider, float(count))


def _rank(share: float, count: int) -> int:
    """Index of the smallest sorted value that so large a share does not exceed."""
    return min(max(int(np.ceil(share * count - 1e-9)) - 1, 0), count - 1)
