"""Statistics of measured times: pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

PERCENTILES = (50, 90, 95, 99)


def percentile(values: Sequence[float], p: float) -> float:
    """The ``p``-th percentile (0…100) of ``values``, in their unit.

    Median-unbiased plotting positions (Hyndman & Fan 1996, type 8); ValueError when there are no values.
    """
    return float(np.percentile(np.asarray(values, dtype=float), p, method="median_unbiased"))


def samples_needed(p: float, confidence: float = 0.95) -> int:
    """Fewest values of which the largest exceeds the true ``p``-th percentile with ``confidence``.

    1 - (p/100)^n >= confidence: with fewer, no order statistic bounds the percentile from above
    (David & Nagaraja, Order Statistics, 2003, section 7.1).
    """
    return math.ceil(math.log(1 - confidence) / math.log(p / 100))
