"""The rate that a service holds, by a queue with the service's own calls.

A percentile near the edge rests on a few long queues: 1,400 requests at a utilisation of 0.67 have
14 late ones of a 99th percentile, in one or two clusters. Counting them leaves a rate uncertain by
half. But each of the 1,400 says how long a call takes, and the queue follows from that and from the
arrivals, which are known. Such an estimate is of the model-assisted kind: it is used only where the
answers show that the service is such a queue.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.statistics import Interval, student
from asr_scaling.load.edge import Edge
from asr_scaling.load.late_share import LateShare, rate_between, rate_where
from asr_scaling.load.queue_calls import Answers, Calls
from asr_scaling.load.queue_fit import Form, best_calls, dependence, law_of

_Floats = NDArray[np.float64]
_Curve = Callable[[float], float]
"""Rate → logarithm of the late share."""
_GRID = 0.01
"""Distance of neighbouring rates' logarithms on the grid of a curve."""
_GROUPS = 16
_HARDLY_ANY = 1e-5
"""A rate at which no request waits, over the highest."""
_WANDERS = 0.01
"""Relative standard deviation of a service's speed from one quarter of an hour to the next."""
_CHANCE = 3.5
"""Standard errors from which on calls depend on the queue beyond doubt."""
_FARTHEST = 3.0
"""Times the straight line's distance that an end of the interval is away at most."""
_SMALL = 0.08
"""Such a dependence, in logarithms, that is still small enough to be put into the interval."""


def queue_edge(loads: Answers, late_share: float, times: LateShare) -> Edge | None:
    """The rate at which ``late_share`` of the requests is late.

    late_share: 0…1. times: gives the late share of a queue.

    The queue's law is found from the answers (load/queue_fit.py); the late share at any rate
    follows by Pollaczek and Khinchine's formula or by simulation. Its standard error is that of a
    jackknife of consecutive groups of calls (Künsch 1989, The jackknife and the bootstrap
    for general stationary observations, Annals of Statistics 17), so that slow drift is in it;
    1 % of the rate is added for drift between them. The interval, Student's t with seven degrees
    of freedom, is of the logarithm of the late share, and becomes one of the rate by the same
    curve. None where there are too few calls, or calls depend on the queue more than the law says.
    """
    found = best_calls(loads)
    if found is None:
        return None
    calls, form = found
    difference, errors = dependence(calls, form)
    if errors > _CHANCE and abs(difference) > _SMALL:
        return None
    law, wanted = law_of(calls, form), math.log(late_share)
    words = _words(calls, form)
    curve = _on_a_grid(lambda rate: times.log(law, rate))
    rate = rate_where(curve, wanted, law.most_per_s)
    at = rate or law.most_per_s * _HARDLY_ANY
    slope = _slope(curve, at)
    doubt = _WANDERS + (abs(difference) if errors > _CHANCE else 0.0)
    error = math.hypot(_jackknife(calls, form, at, times), times.log_error(law, at), doubt * slope)
    half = student(_GROUPS / 2 - 1) * error
    if rate == 0:
        interval = Interval(0.0, rate_where(curve, wanted + half, law.most_per_s))
    else:
        interval = _interval(curve, law.most_per_s, rate, half, slope)
    return Edge(rate, interval, "queue", words, curve)


def _on_a_grid(curve: _Curve) -> _Curve:
    """The curve, computed at rates 1 % apart and straight between them: each takes a simulation."""
    at = cache(lambda step: curve(math.exp(_GRID * step)))

    def between(rate_per_s: float) -> float:
        place = math.log(rate_per_s) / _GRID
        step = math.floor(place)
        return at(step) + (place - step) * (at(step + 1) - at(step))

    return between


def _interval(
    curve: _Curve, most_per_s: float, rate_per_s: float, half: float, slope: float
) -> Interval:
    """Rates whose late share is ``half`` below and above, in logarithms, that of the rate.

    At most ``_FARTHEST`` times as far off as the straight line of this slope says: where single
    calls are late at any rate the curve flattens, and a share below that has no rate.
    """
    wanted = curve(rate_per_s)
    ends = list[float]()
    for way in (-1, 1):
        farthest = rate_per_s * math.exp(way * _FARTHEST * half / slope)
        farthest = min(farthest, max(most_per_s, rate_per_s))
        ends.append(rate_between(curve, wanted + way * half, rate_per_s, farthest))
    return Interval(ends[0], ends[1])


def _slope(curve: _Curve, rate_per_s: float) -> float:
    """By how much the logarithm of the late share grows with that of the rate."""
    step = 0.03
    low, high = (curve(rate_per_s * math.exp(way * step)) for way in (-1, 1))
    return max((high - low) / (2 * step), 0.5)


def _jackknife(calls: Calls, form: Form, rate_per_s: float, times: LateShare) -> float:
    """Standard error of the logarithm of the late share that the calls leave.

    The larger one of 16 groups and of 8, each two neighbours: a search that ends when the error is
    small would else end where it is underestimated.
    """
    edges = np.linspace(0, len(calls), _GROUPS + 1).astype(int).tolist()
    logs = [
        times.log(law_of(calls.without(begin, end), form), rate_per_s, rough=True)
        for begin, end in pairwise(edges)
    ]
    apart = np.array(logs) - np.mean(logs)
    pairs = apart.reshape(-1, 2).sum(axis=1)
    return math.sqrt((1 - 1 / _GROUPS) * max(float(apart @ apart), float(pairs @ pairs)))


def _words(calls: Calls, form: Form) -> str:
    workers = "one worker" if calls.workers == 1 else f"{calls.workers} workers"
    batches = f", up to {calls.most} requests a call" if calls.most > 1 else ""
    slower = ", slower beside each other" if form.crowded else ""
    idle = ", other calls after idle moments" if form.idle else ""
    return f"a queue of {workers}{batches}{slower}{idle}"
