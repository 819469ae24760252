"""Requests in a queue wait for each other: which of them are independent of which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LOW = 0.25
"""Share of the requests that find the system so empty that a new cycle begins."""


def answered(due_s: NDArray[np.float64], latency_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """When each request was answered; when it was due, where it has no text.

    latency_s: from due to answered; inf without a text.
    """
    return np.where(np.isfinite(latency_s), due_s + latency_s, due_s)


def found(due_s: NDArray[np.float64], done_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many requests each finds in the system when it is due: all before it that aren't done.

    due_s: in order. done_s: when each was answered; inf where it never was.
    """
    return np.arange(len(due_s)) - np.searchsorted(np.sort(done_s), due_s, side="right")


def cycles(due_s: NDArray[np.float64], done_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the cycle that each request belongs to, from 0.

    A cycle begins when a request finds the system empty: what came before is without influence
    (Crane & Iglehart 1975, Simulating stable stochastic systems III, Operations Research 23). Where
    a system is hardly ever empty, it begins when no more requests are there than in the emptiest
    quarter of the time; then cycles are nearly independent.
    """
    there = found(due_s, done_s)
    begins = there <= np.quantile(there, _LOW, method="lower")
    begins[:1] = False
    return np.cumsum(begins)
