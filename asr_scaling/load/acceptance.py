"""The rate at which a share of requests is late, by counting late requests at several rates.

It needs no model of the service, and so many requests: see load/queue_edge.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.statistics import Interval
from asr_scaling.load.cycles import answered, cycles
from asr_scaling.load.edge import Edge

_Floats = NDArray[np.float64]
_SLOPE = (2.0, 0.7)
"""Mean and standard deviation of the logarithm of the curve's slope, before any data: simulated
queues of every kind have slopes of 2 to 25."""
_WIDEST = 1.2
"""Logarithm of the rates' range around the loads' in which the edge is looked for."""
_RATES, _SLOPES = 481, 41
_CLUSTER = 20.0


@dataclass(frozen=True)
class Counted:
    """Late requests of one load that had settled.

    rate_per_s: of the requests that were due.
    requests: that count.
    clusters: late ones of each cycle of the queue that had any; they come together.
    """

    rate_per_s: float
    requests: int
    clusters: tuple[int, ...]

    @property
    def late(self) -> int:
        """Requests that were late."""
        return sum(self.clusters)


def counted(rate_per_s: float, due_s: _Floats, latency_s: _Floats, limit_s: float) -> Counted:
    """The late requests of a load: answered after more than ``limit_s``, or never (inf)."""
    sums = np.bincount(cycles(due_s, answered(due_s, latency_s)), weights=latency_s > limit_s)
    return Counted(rate_per_s, len(due_s), tuple(int(count) for count in sums if count))


def counted_edge(loads: Sequence[Counted], late_share: float) -> Edge:
    """The rate at which ``late_share`` (0…1) of the requests is late.

    The share's complementary log-log is a line over the logarithm of the rate (McCullagh & Nelder,
    Generalized Linear Models, 2nd ed. 1989, section 4.3). The interval holds all rates whose
    profile likelihood over slopes is high enough (ibid., section 7.2.4). Late requests come in
    clusters: the likelihood is divided by the mean square of their sizes over the mean, the
    dispersion of a compound Poisson count (ibid., sections 4.5 and 9.2), and compared with F's
    distribution with twice as many degrees of freedom as there are clusters.
    """
    from scipy.stats import f

    middle = float(np.mean([math.log(load.rate_per_s) for load in loads]))
    rates = np.linspace(middle - _WIDEST, middle + _WIDEST, _RATES)
    mean, deviation = _SLOPE
    slopes = np.linspace(mean - 2.5 * deviation, mean + 2.5 * deviation, _SLOPES)
    sizes = np.array([size for load in loads for size in load.clusters], dtype=float)
    dispersion = 1 + 1 / max(len(sizes), 1)
    if len(sizes):
        dispersion *= float((sizes**2).sum() / sizes.sum())
    cost = _misfit(loads, late_share, rates[:, None], np.exp(slopes)[None, :]) / dispersion
    cost += ((slopes - mean) / deviation) ** 2 / 2
    profile = cost.min(axis=1)
    best = int(profile.argmin())
    limit = f.ppf(0.95, 1, max(2 * len(sizes), 2)) / 2
    inside = np.exp(rates[profile - profile[best] <= limit])
    low = 0.0 if profile[0] - profile[best] <= limit else float(inside[0])
    high = math.inf if profile[-1] - profile[best] <= limit else float(inside[-1])
    return Edge(math.exp(rates[best]), Interval(low, high), "counts")


def contradicts(loads: Sequence[Counted], log_shares: Sequence[float]) -> bool:
    """Whether late requests say beyond doubt (0.1 %) that these are not the late shares.

    log_shares: logarithm of each load's share, as something else has it. Late requests count as
    if they came in clusters of 20 at least: simulated queues have some of that size.
    """
    from scipy.stats import chi2

    sizes = np.array([size for load in loads for size in load.clusters], dtype=float)
    dispersion = max(float((sizes**2).sum() / sizes.sum()) if len(sizes) else 0.0, _CLUSTER)
    late = float(sum(load.late for load in loads))
    wanted = sum(
        load.requests * math.exp(share) for load, share in zip(loads, log_shares, strict=True)
    )
    deviance = 2 * (late * math.log(late / wanted) - late + wanted) if late else 2 * wanted
    return bool(deviance / dispersion > chi2.ppf(0.999, 1))


def _misfit(
    loads: Sequence[Counted], late_share: float, rates: _Floats, slopes: _Floats
) -> _Floats:
    """Minus the binomial log likelihood of curves that have ``late_share`` at these rates (log)."""
    at_edge = math.log(-math.log1p(-late_share))
    total = np.zeros(np.broadcast_shapes(rates.shape, slopes.shape))
    for load in loads:
        hazard = np.exp(np.clip(at_edge + slopes * (math.log(load.rate_per_s) - rates), -40, 4))
        total += (load.requests - load.late) * hazard
        if load.late:
            total -= load.late * np.log(-np.expm1(-hazard))
    return total
