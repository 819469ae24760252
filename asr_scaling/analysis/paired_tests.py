"""How much two systems' error rates differ on the same speech, with intervals of 95 %."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
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


def _expanded(estimates: _Floats, freedom: int, factor: float) -> Interval:
    """Percentile interval of the bootstrap, widened for few values by Student's t.

    factor: what the resamples vary too little by (Hesterberg 2015, The American Statistician 69,
    section 5.4).
    """
    from scipy.special import ndtr, stdtrit

    tail = float(ndtr(factor * stdtrit(freedom, (1 - CONFIDENCE) / 2)))
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(float(low), float(high))
