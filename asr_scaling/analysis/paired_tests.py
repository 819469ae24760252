"""How much two systems differ on the same speech, with intervals of 95 %."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.statistics import CONFIDENCE, FEWEST, RESAMPLES, SEED, Interval

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """How much ``b`` differs from ``a``; no interval when there are too few values to tell."""

    value: float
    interval: Interval | None


Blocks = Sequence[Sequence[float]]
"""For each block of speech the times that one system took for all of it: repeats of one thing."""


def time_changes(a: Blocks, b: Blocks) -> tuple[Estimate, Estimate]:
    """Relative changes, paired by block, of the time of a block and of the speed over all blocks.

    Time: geometric mean over blocks of the ratio of geometric means over repeats, so that unequal
    numbers of repeats don't bias it. Speed: ratio of the totals of the mean times. Bootstrap over
    blocks, both systems drawn together (Davison & Hinkley 1997, section 2.4); with fewer than six
    blocks over the repeats inside each: then it is about this very speech.
    """
    log_a, log_b = ([[math.log(time) for time in times] for times in system] for system in (a, b))
    return _change(log_a, log_b, _longer), _change(a, b, _faster)


def _longer(weights: _Floats, log_a: _Floats, log_b: _Floats) -> _Floats:
    return np.asarray(np.expm1((weights * (log_b - log_a)).sum(axis=1) / log_a.shape[1]))


def _faster(weights: _Floats, a: _Floats, b: _Floats) -> _Floats:
    return np.asarray((weights * a).sum(axis=1) / (weights * b).sum(axis=1) - 1)


def _change(
    a: Blocks, b: Blocks, compare: Callable[[_Floats, _Floats, _Floats], _Floats]
) -> Estimate:
    n, repeats = len(a), min(sum(map(len, a)), sum(map(len, b)))
    typical = [np.array([[statistics.fmean(values) for values in system]]) for system in (a, b)]
    once = np.ones((1, n))
    value = float(compare(once, *typical)[0])
    if n >= FEWEST:
        return Estimate(
            value, _expanded(compare(_draws(n), *typical), n - 1, math.sqrt(n / (n - 1)))
        )
    if repeats < FEWEST or min(map(len, [*a, *b])) < 2:
        return Estimate(value, None)
    return Estimate(value, _expanded(compare(once, _redrawn(a, 0), _redrawn(b, 1)), repeats - n))


def mean_change(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Relative change of the mean of unpaired positive values: Welch's t-interval of their logs."""
    from scipy.stats import ttest_ind

    value = statistics.fmean(b) / statistics.fmean(a) - 1
    if min(len(a), len(b)) < 3:
        return Estimate(value, None)
    logs = np.log(np.asarray(b, dtype=float)), np.log(np.asarray(a, dtype=float))
    if not np.ptp(logs[0]) and not np.ptp(logs[1]):
        return Estimate(value, Interval(value, value))
    welch = ttest_ind(*logs, equal_var=False).confidence_interval(CONFIDENCE)
    return Estimate(value, Interval(math.expm1(welch.low), math.expm1(welch.high)))


def rate_change(a: Sequence[int], b: Sequence[int], lengths: Sequence[int]) -> Estimate:
    """Difference of two error rates on the same utterances, by bootstrap; 0.01 is one point."""
    edits_a, edits_b, words = (np.asarray(values, dtype=float) for values in (a, b, lengths))
    value = float((edits_b - edits_a).sum() / words.sum())
    if len(words) < FEWEST:
        return Estimate(value, None)
    n, weights = len(words), _draws(len(words))
    estimates = weights @ (edits_b - edits_a) / (weights @ words)
    return Estimate(value, _expanded(estimates, n - 1, math.sqrt(n / (n - 1))))


@functools.lru_cache(maxsize=4)
def _draws(n: int) -> _Floats:
    """How often each of ``n`` things is drawn, for every resample."""
    return np.random.default_rng(SEED).multinomial(n, [1 / n] * n, size=RESAMPLES).astype(float)


def _redrawn(blocks: Blocks, stream: int) -> _Floats:
    """Mean of each block with its repeats drawn anew: resamples × blocks.

    m repeats drawn from m vary too little, by (m - 1)/m: their deviations are enlarged for it
    (Davison & Hinkley 1997, section 2.3).
    """
    rng, columns = np.random.default_rng((SEED, stream)), []
    for values in (np.asarray(block, dtype=float) for block in blocks):
        m = len(values)
        drawn = rng.choice(values, (RESAMPLES, m)).mean(axis=1)
        columns.append(values.mean() + (drawn - values.mean()) * math.sqrt(m / (m - 1)))
    return np.stack(columns, axis=1)


def _expanded(estimates: _Floats, freedom: int, factor: float = 1.0) -> Interval:
    """Percentile interval of the bootstrap, widened for few values by Student's t.

    factor: what the resamples vary too little by (Hesterberg 2015, The American Statistician 69,
    section 5.4).
    """
    from scipy.special import ndtr, stdtrit

    tail = float(ndtr(factor * stdtrit(freedom, (1 - CONFIDENCE) / 2)))
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(float(low), float(high))
