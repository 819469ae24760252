"""Statistics of measurements, each function with the source of its formula.

All intervals are of 95 %. A bootstrap has a fixed seed: equal samples give equal intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50, 90, 95, 99)
CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2
"""Probability outside each end of an interval."""
RESAMPLES = 2000
SEED = 42
FEWEST = 6
"""Fewest values for a bootstrap; with fewer it says little."""
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An interval of 95 %.

    low: its lower end, in the unit of the values.
    high: its upper end, in the unit of the values.
    """

    low: float
    high: float

    def half(self, value: float) -> float:
        """The larger of the distances from ``value`` to the two ends."""
        return max(value - self.low, self.high - value)


def percentile(values: Sequence[float], p: float) -> float:
    """The ``p``-th percentile (0…100) of ``values``, in their unit.

    Median-unbiased plotting positions: Hyndman & Fan 1996, type 8. ``values`` are not empty.
    """
    return float(np.percentile(np.asarray(values, dtype=float), p, method="median_unbiased"))


def samples_needed(p: float) -> int:
    """Fewest values for which the ``p``-th percentile is reported.

    p = 50: so many that the smallest and the largest bound the median at 95 %: 6.
    p > 50: so many that the largest exceeds the percentile at 99 %, 1 - (p/100)^n >= 0.99:
        44, 90 and 459 for p90, p95 and p99. This is MLPerf LoadGen's early-stopping rule with no
        query discarded (mlcommons/inference, loadgen/early_stopping.cc).
    """
    if p > 50:
        return math.ceil(math.log(0.01) / math.log(p / 100))
    return math.ceil(math.log(_TAIL) / math.log(1 - p / 100))


def percentile_interval(values: Sequence[float], p: float) -> Interval | None:
    """Interval of the true ``p``-th percentile (0…100), for any distribution.

    None when there are too few values. Interpolated order statistics: Nyblom 1992, Note on
    interpolated order statistics, Statistics & Probability Letters 14; for the median
    Hettmansperger & Sheather 1986. The r-th smallest value X(r) exceeds the percentile with
    probability P(Bin(n, p) < r); between two such values the weight follows from both
    probabilities. Values are taken as independent draws; when the same utterances are measured
    again in turn, the interval is wider than needed.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    low = _lower_limit(ordered, p / 100)
    high = _lower_limit(-ordered[::-1], 1 - p / 100)
    return None if low is None or high is None else Interval(low, -high)


def _lower_limit(ordered: _Floats, p: float) -> float | None:
    """A value below the p-quantile (0…1) with probability 97.5 %, between X(r) and X(r+1)."""
    from scipy.special import bdtr

    n = len(ordered)
    above = bdtr(np.arange(n), n, p)  # above[r - 1] = P(Bin <= r - 1) = P(X(r) > quantile)
    r = int(np.searchsorted(above, _TAIL, side="right"))  # counts from 1; X(r) is low enough
    if r == 0:
        return None
    if r == n:
        return float(ordered[-1])
    safe, unsafe = above[r - 1 : r + 1]
    odds = math.inf
    if safe < _TAIL:
        odds = r * (1 - p) * (unsafe - _TAIL) / ((n - r) * p * (_TAIL - safe))
    return float(ordered[r - 1] + (ordered[r] - ordered[r - 1]) / (1 + odds))


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Student's t-interval of the mean; None for fewer than three values."""
    return ratio_interval(values, [1.0] * len(values))


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """Interval of sum(numerators) / sum(denominators); None for fewer than three pairs.

    Student's t on the linearised ratio: Cochran, Sampling Techniques, 3rd ed. 1977, section 6.4.
    """
    n, total = len(numerators), math.fsum(denominators)
    if n < 3 or total == 0:
        return None
    ratio = math.fsum(numerators) / total
    residuals = [x - ratio * y for x, y in zip(numerators, denominators, strict=True)]
    error = math.sqrt(math.fsum(r * r for r in residuals) / (n - 1) * n) / total
    half = student(n - 1) * error
    return Interval(ratio - half, ratio + half)


def student(freedom: float, tail: float = _TAIL) -> float:
    """Quantile of Student's t at the upper end of an interval; the normal one where infinite.

    tail: chance beyond it.
    """
    from scipy.special import ndtri, stdtrit

    return float(ndtri(1 - tail) if math.isinf(freedom) else stdtrit(freedom, 1 - tail))


def sum_interval(
    values: Sequence[float], intervals: Sequence[Interval | None], weights: Sequence[float]
) -> Interval | None:
    """Interval of the weighted sum of independent values; None where one has no interval.

    Distances to the ends add up as squares: exact for normal errors, else limits recovered from
    those of each value (Zou & Donner 2008, Statistics in Medicine 27). ``weights`` are positive.
    """
    parts = [(i, v, w) for i, v, w in zip(intervals, values, weights, strict=True) if i is not None]
    if len(parts) < len(values):
        return None
    total = math.fsum(w * v for v, w in zip(values, weights, strict=True))
    low = math.hypot(*(w * (v - interval.low) for interval, v, w in parts))
    high = math.hypot(*(w * (interval.high - v) for interval, v, w in parts))
    return Interval(total - low, total + high)


def error_rate_interval(edits: Sequence[int], lengths: Sequence[int]) -> Interval | None:
    """Interval of summed ``edits`` over summed ``lengths``; None for fewer than six utterances.

    edits: errors of each utterance.
    lengths: reference words, or characters, of each utterance.

    BCa bootstrap over utterances: Efron 1987; for word error rates Bisani & Ney 2004. Without any
    edit the bootstrap's interval would be 0 wide: then the upper end is 1 - 0.025^(1/words), with
    words taken as independent (Clopper & Pearson 1934).
    """
    from scipy.stats import bootstrap

    words = sum(lengths)
    if len(edits) < FEWEST or words == 0:
        return None
    if not any(edits):
        return Interval(0.0, 1 - _TAIL ** (1 / words))
    pairs = np.asarray(edits, dtype=float), np.asarray(lengths, dtype=float)
    if np.ptp(pairs[0] / pairs[1]) == 0:
        rate = sum(edits) / words
        return Interval(rate, rate)
    drawn = bootstrap(
        pairs,
        lambda edits, words, axis: edits.sum(axis=axis) / words.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=SEED,
    ).confidence_interval
    return Interval(float(drawn.low), float(drawn.high))


def share_interval(some: int, of: int) -> Interval | None:
    """Interval of the share of which ``some`` of independent draws ``of`` are; None without draws.

    Clopper & Pearson 1934, by quantiles of the beta distribution.
    """
    from scipy.special import betaincinv

    if not of:
        return None
    low = betaincinv(some, of - some + 1, _TAIL) if some else 0.0
    high = betaincinv(some + 1, of - some, 1 - _TAIL) if some < of else 1.0
    return Interval(float(low), float(high))


@dataclass(frozen=True)
class Trend:
    """Whether values change with time.

    s: Kendall's S summed over groups; below 0 when values fall.
    p: probability of as large an S in that direction by chance; None with too few values to test.
    """

    s: int
    p: float | None

    @property
    def falls(self) -> bool:
        """Whether values fall with time, at 5 %, one-sided."""
        return self.s < 0 and self.p is not None and self.p < 0.05

    @property
    def rises(self) -> bool:
        """Whether values rise with time, at 5 %, one-sided."""
        return self.s > 0 and self.p is not None and self.p < 0.05


def trend(groups: Sequence[Sequence[float]]) -> Trend:
    """Seasonal Mann-Kendall test: do values change with time within groups?

    groups: values in the order of time; groups may differ from each other.

    Hirsch, Slack & Smith 1982, Water Resources Research 18: S and its variance, with Kendall's
    correction for ties, add up over the groups; normal approximation with continuity correction.
    Not tested when even values in perfect order would not be significant.
    """
    s = sum(int(np.tril(np.sign(np.subtract.outer(group, group))).sum()) for group in groups)
    sizes = [len(group) for group in groups]
    ties = [size for group in groups for size in np.unique(group, return_counts=True)[1].tolist()]
    pairs, untied = sum(n * (n - 1) // 2 for n in sizes), _variance(sizes)
    if not untied or _one_sided(pairs, untied) >= 0.05:
        return Trend(s, None)
    variance = untied - _variance(ties)
    return Trend(s, _one_sided(s, variance) if variance else 1.0)


def _variance(sizes: Sequence[int]) -> int:
    """18 times the variance of Kendall's S, summed over groups of these sizes without ties."""
    return sum(n * (n - 1) * (2 * n + 5) for n in sizes)


def _one_sided(s: int, variance: int) -> float:
    z = max(0, abs(s) - 1) / math.sqrt(variance / 18)
    return math.erfc(z / math.sqrt(2)) / 2


def noise_floor(groups: Sequence[Sequence[float]]) -> float | None:
    """Smallest relative difference that is not noise, from an A/A test: 0.02 is 2 %.

    groups: times in s of one input each, in the order they were taken. A, B, A, B … are the same
        system measured twice in turn.

    The difference of the mean logarithms of A and B, weighted over groups by how precisely each
    shows it, is 0 but for chance. The floor is the farther end of its t-interval, with a variance
    pooled over groups; for groups of two this is the paired t-test. Kalibera & Jones 2013,
    Rigorous benchmarking in reasonable time, section 9; pooling: Montgomery, Design and Analysis
    of Experiments, section 4.1. None with fewer than two degrees of freedom (three pairs).
    """
    logs = [np.log(group) for group in groups if len(group) > 1 and min(group) > 0]
    freedom = sum(len(x) - 1 for x in logs) - 1
    if freedom < 2:
        return None
    weights = [len(x[::2]) * len(x[1::2]) / len(x) for x in logs]
    differences = [float(x[1::2].mean() - x[::2].mean()) for x in logs]
    information = math.fsum(weights)
    difference = math.fsum(w * d for w, d in zip(weights, differences, strict=True)) / information
    squares = math.fsum(float(((x - x.mean()) ** 2).sum()) for x in logs)
    error = math.sqrt(max(0.0, squares - difference**2 * information) / freedom / information)
    return math.expm1(abs(difference) + student(freedom) * error)


def precision(times: list[float]) -> float:
    """Half width of the median's interval over the median; infinite without an interval."""
    interval, median = percentile_interval(times, 50), percentile(times, 50)
    return interval.half(median) / median if interval is not None and median else math.inf
