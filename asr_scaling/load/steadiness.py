"""Whether a load had settled: the start that is cut, and a backlog that grew all the time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.statistics import Interval, student
from asr_scaling.load.cycles import found

_BATCH = 5
_LATEST = 0.5
"""Share of a load that is cut at most."""
_GAIN = 0.97
"""The start is cut only where MSER's statistic falls to this share of it, or below."""
_WINDOWS = 10
_GROWTH = 0.02
"""Requests by which the backlog grows, over requests that are due, from which on it matters."""
_Floats = NDArray[np.float64]


def start_to_cut(latency_s: _Floats) -> int:
    """Requests at the start that are unlike the rest; 0 where nothing says so.

    MSER-5: of all cuts, the one after which the mean of batches of 5 has the least standard error
    (White 1997, An effective truncation heuristic for bias reduction in simulation output;
    White, Cobb & Spratt 2000). It is taken of the latencies' ranks, and only where the gain is
    3 % or more. Of the latencies themselves it cuts rare long queues away and with them a third
    of all late requests, as simulated servers show; of the ranks a tenth.
    """
    from scipy.stats import rankdata

    count = len(latency_s) // _BATCH
    if count < 4:
        return 0
    ranks = rankdata(latency_s)  # equal latencies have equal ranks
    means = ranks[: count * _BATCH].reshape(count, _BATCH).mean(axis=1)
    left = np.arange(count, 0, -1)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum(means[::-1] ** 2)[::-1]
    error = ((squares - sums**2 / left) / left**2)[: int(count * _LATEST)]
    best = int(np.argmin(error))
    return best * _BATCH if error[best] <= _GAIN * error[0] else 0


@dataclass(frozen=True)
class Backlog:
    """How the requests that are due and not answered grew over a load.

    slope_per_s: by how many a second.
    interval: of the slope.
    overloaded: whether they grew all the time, and by enough to matter.
    """

    slope_per_s: float
    interval: Interval
    overloaded: bool


def backlog(due_s: _Floats, done_s: _Floats) -> Backlog:
    """The trend of the backlog.

    due_s: when each request was due, in order. done_s: when it was answered, refused or given up;
    inf: never.

    Of each tenth of the load the smallest backlog counts, so that a stall that is worked off again
    is not seen. The slope is the median of those between all pairs, with Sen's interval (Sen 1968,
    Estimates of the regression coefficient based on Kendall's tau, JASA 63). A load is overloaded
    when the interval excludes 0 and 2 % of the requests or more stayed in the backlog.
    """
    edges = np.linspace(due_s[0], due_s[-1], _WINDOWS + 1)
    window = np.clip(np.searchsorted(edges, due_s, side="right") - 1, 0, _WINDOWS - 1)
    there = found(due_s, done_s)
    filled = np.flatnonzero(np.bincount(window))
    least = np.array([there[window == which].min() for which in filled], dtype=float)
    middle = ((edges[1:] + edges[:-1]) / 2)[filled]
    early, later = np.triu_indices(len(filled), 1)
    if len(early) == 0 or due_s[-1] <= due_s[0]:
        return Backlog(0.0, Interval(-np.inf, np.inf), False)
    slopes = np.sort((least[later] - least[early]) / (middle[later] - middle[early]))
    interval = _sen(slopes, len(filled))
    slope = float(np.median(slopes))
    rate = len(due_s) / float(due_s[-1] - due_s[0])
    return Backlog(slope, interval, interval.low > 0 and slope > _GROWTH * rate)


def _sen(slopes: _Floats, count: int) -> Interval:
    """Interval of the median of sorted pairwise slopes between ``count`` values."""
    spread = student(np.inf) * np.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = math.floor((len(slopes) - spread) / 2)
    if low < 0:
        return Interval(-np.inf, np.inf)
    high = min(math.ceil((len(slopes) + spread) / 2), len(slopes) - 1)
    return Interval(float(slopes[low]), float(slopes[high]))
