"""Statistics of measurements: pure functions, each with the source of its formula. All intervals are of 95 %.

The random numbers of a bootstrap come from a fixed seed, so that the same samples give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50, 90, 95, 99)
CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 42
FEWEST = 6
"""Fewer values are not drawn from with replacement: a bootstrap of them says little."""
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An interval of 95 % in the unit of its values."""

    low: float
    high: float

    def half(self, value: float) -> float:
        """The larger of the distances from ``value`` to the two ends."""
        return max(value - self.low, self.high - value)


def percentile(values: Sequence[float], p: float) -> float:
    """The ``p``-th percentile (0…100) of ``values``, in their unit.

    Median-unbiased plotting positions (Hyndman & Fan 1996, type 8); ValueError when there are no values.
    """
    return float(np.percentile(np.asarray(values, dtype=float), p, method="median_unbiased"))


def samples_needed(p: float) -> int:
    """Fewest values that support the ``p``-th percentile; below it the percentile is withheld.

    The median: the fewest whose smallest and largest bound it at 95 % (6). A tail percentile, p > 50: the fewest whose
    largest exceeds it at 99 %, 1 - (p/100)^n >= 0.99, which is MLPerf LoadGen's early-stopping rule with no query
    discarded (mlcommons/inference, loadgen/early_stopping.cc): 44, 90 and 459 for p90, p95 and p99.
    """
    if p > 50:
        return math.ceil(math.log(0.01) / math.log(p / 100))
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(1 - p / 100))


def percentile_interval(values: Sequence[float], p: float) -> Interval | None:
    """Where the true ``p``-th percentile lies, whatever the distribution; None when the values can't bound it.

    Interpolated order statistics (Nyblom 1992, Note on interpolated order statistics, Statistics & Probability Letters
    14; for the median Hettmansperger & Sheather 1986): X(r) exceeds the percentile with P(Bin(n, p) < r), and between
    two order statistics the weight follows from both probabilities. Values are taken as independent draws; going
    round the same utterances evenly makes it conservative.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    low = _lower_limit(ordered, p / 100)
    high = _lower_limit(-ordered[::-1], 1 - p / 100)
    return None if low is None or high is None else Interval(low, -high)


def _lower_limit(ordered: _Floats, p: float) -> float | None:
    """The value that is below the p-quantile (0…1) with 97.5 %: between X(r) and X(r+1)."""
    from scipy.special import bdtr

    n, tail = len(ordered), (1 - CONFIDENCE) / 2
    above = bdtr(np.arange(n), n, p)  # above[r - 1] = P(Bin <= r - 1) = P(X(r) > quantile)
    r = int(
        np.searchsorted(above, tail, side="right")
    )  # the last order statistic that is safe, 1-based
    if r == 0:
        return None
    if r >= n:
        return float(ordered[-1])
    safe, unsafe = above[r - 1], above[r]
    odds = (
        r * (1 - p) * (unsafe - tail) / ((n - r) * p * (tail - safe)) if tail > safe else math.inf
    )
    return float(ordered[r - 1] + (ordered[r] - ordered[r - 1]) / (1 + odds))


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Student's t-interval of the mean; None for fewer than three values."""
    return ratio_interval(values, [1.0] * len(values))


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """Interval of sum(numerators) / sum(denominators) over pairs: Student's t on the linearised ratio.

    Cochran, Sampling Techniques, 3rd ed. 1977, section 6.4; None for fewer than three pairs.
    """
    from scipy.special import stdtrit

    n, total = len(numerators), math.fsum(denominators)
    if n < 3 or total == 0:
        return None
    ratio = math.fsum(numerators) / total
    residuals = [x - ratio * y for x, y in zip(numerators, denominators, strict=True)]
    error = math.sqrt(math.fsum(r * r for r in residuals) / (n - 1) * n) / total
    half = float(stdtrit(n - 1, 1 - (1 - CONFIDENCE) / 2)) * error
    return Interval(ratio - half, ratio + half)


def error_rate_interval(edits: Sequence[int], lengths: Sequence[int]) -> Interval | None:
    """Interval of an error rate by summed edits over summed reference lengths, utterances drawn with replacement.

    BCa bootstrap over utterances (Efron 1987; Bisani & Ney 2004 for word error rates). Without a single edit the
    bootstrap would claim certainty: then the upper end is 1 - 0.025^(1/words), words taken as independent (Clopper &
    Pearson 1934). None for fewer than six utterances.
    """
    from scipy.stats import bootstrap

    words = sum(lengths)
    if len(edits) < FEWEST or words == 0:
        return None
    if not any(edits):
        return Interval(0.0, 1 - ((1 - CONFIDENCE) / 2) ** (1 / words))
    pairs = np.asarray(edits, dtype=float), np.asarray(lengths, dtype=float)
    if np.ptp(pairs[0] / pairs[1]) == 0:
        rate = sum(edits) / words
        return Interval(rate, rate)

    def rate_of(numerator: _Floats, denominator: _Floats, axis: int = -1) -> object:
        return numerator.sum(axis=axis) / denominator.sum(axis=axis)

    found = bootstrap(pairs, rate_of, paired=True, vectorized=True, n_resamples=RESAMPLES, rng=SEED)
    return Interval(float(found.confidence_interval.low), float(found.confidence_interval.high))


@dataclass(frozen=True)
class Trend:
    """Kendall's S summed over groups, below 0 when values fall with time.

    ``p``: probability of as much or more in that direction by chance; None when there are too few values to test.
    """

    s: int
    p: float | None

    @property
    def falls(self) -> bool:
        """At 5 %, one-sided."""
        return self.s < 0 and self.p is not None and self.p < 0.05

    @property
    def rises(self) -> bool:
        """At 5 %, one-sided."""
        return self.s > 0 and self.p is not None and self.p < 0.05


def trend(groups: Sequence[Sequence[float]]) -> Trend:
    """Seasonal Mann-Kendall test: do values change with time within groups that may differ from each other?

    Hirsch, Slack & Smith 1982, Water Resources Research 18: S and its variance (with Kendall's correction for ties)
    add up over the groups; normal approximation with continuity correction. Untestable when even a perfect trend
    would not be significant.
    """
    s, variance, most = 0, 0.0, 0
    for group in groups:
        x = np.asarray(group, dtype=float)
        n = len(x)
        later, earlier = np.triu_indices(n, 1)[::-1]
        s += int(np.sign(x[later] - x[earlier]).sum())
        ties = np.unique(x, return_counts=True)[1]
        variance += (
            n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())
        ) / 18
        most += n * (n - 1) // 2
    whole = sum(len(g) * (len(g) - 1) * (2 * len(g) + 5) for g in groups) / 18
    if not whole or _one_sided(most, whole) >= 0.05:
        return Trend(s, None)
    return Trend(s, _one_sided(s, variance) if variance else 1.0)


def _one_sided(s: int, variance: float) -> float:
    z = max(0, abs(s) - 1) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) / 2


def noise_floor(groups: Sequence[Sequence[float]]) -> float | None:
    """Smallest relative difference that is not noise, from an A/A test; None when the times can't tell.

    Each group holds the times of one input in the order they were taken: A, B, A, B … are the same system measured
    twice, interleaved. The difference of their mean logarithms, over all groups in proportion to what each can tell,
    is 0 but for chance; the farther end of its t-interval (variance pooled over groups) is the floor, as a share: 0.02
    is 2 %. For groups of two this is the paired t-test. Kalibera & Jones 2013, Rigorous benchmarking in reasonable
    time, section 9; pooling: Montgomery, Design and Analysis of Experiments, section 4.1. At least two degrees of
    freedom, three pairs, are needed.
    """
    from scipy.special import stdtrit

    logs = [
        np.log(np.asarray(group, dtype=float))
        for group in groups
        if len(group) > 1 and min(group) > 0
    ]
    freedom = sum(len(x) - 1 for x in logs) - 1
    if freedom < 2:
        return None
    weights = [len(x[::2]) * len(x[1::2]) / len(x) for x in logs]
    differences = [float(x[1::2].mean() - x[::2].mean()) for x in logs]
    information = math.fsum(weights)
    difference = math.fsum(w * d for w, d in zip(weights, differences, strict=True)) / information
    squares = (
        math.fsum(float(((x - x.mean()) ** 2).sum()) for x in logs) - difference**2 * information
    )
    error = math.sqrt(max(0.0, squares) / freedom / information)
    return math.expm1(abs(difference) + float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / 2)) * error)


def precision(times: list[float]) -> float:
    """Half width of the median's 95 % interval as a share of the median; infinite when nothing bounds it."""
    interval, middle = percentile_interval(times, 50), percentile(times, 50)
    return interval.half(middle) / middle if interval is not None and middle else float("inf")
