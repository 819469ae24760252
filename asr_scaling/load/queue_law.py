"""A queue whose calls take as long as those of a measured service did, simulated.

First come, first served: a worker that is free takes what waits, up to so many requests a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
Gaps = Literal["poisson", "constant"]
"""By which law requests arrive."""


@dataclass(frozen=True, eq=False)
class QueueLaw:
    """How a service answers.

    call_s: the time of a call of one request beside no other, right after another: its quantiles
        at (i + 1/2)/m, shape (m,).
    workers: calls at a time.
    slowness: by how much longer calls take for each one beside them, 0.5 is by a half.
    idle: logarithm of how much longer a call takes that begins on a service that did nothing.
    by_size: how much longer a call of 1, 2 … requests takes than that of one; as many as a call
        takes at most.
    """

    call_s: _Floats
    workers: int = 1
    slowness: float = 0.0
    idle: float = 0.0
    by_size: tuple[float, ...] = (1.0,)

    @property
    def most_per_s(self) -> float:
        """Requests a second that it answers when they always wait."""
        busy_s = float(np.mean(self.call_s)) * (1 + self.slowness * (self.workers - 1))
        return self.workers / busy_s * max(n / longer for n, longer in enumerate(self.by_size, 1))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Random numbers for many runs of a queue, the same for every law and rate.

    gaps: between requests, with mean 1, shape (runs, requests).
    ranks: of the calls' times among their quantiles, 0…1, shape (requests, runs).
    settled: requests at the start of each run that are not counted.
    """

    gaps: _Floats
    ranks: _Floats
    settled: int

    @cached_property
    def due(self) -> _Floats:
        """When requests are due at one request a second, shape (runs, requests)."""
        return np.cumsum(self.gaps, axis=1)


def drawn(gaps: Gaps, seed: int, runs: int, requests: int, settled: int = 100) -> Drawn:
    """Random numbers for ``runs`` runs of ``requests`` counted requests, after the settled ones."""
    rng = np.random.default_rng(seed)
    shape = (runs, requests + settled)
    between = rng.exponential(1.0, shape) if gaps == "poisson" else np.ones(shape)
    return Drawn(between, rng.random((shape[1], runs)), settled)


def latencies(law: QueueLaw, rate_per_s: float, numbers: Drawn) -> _Floats:
    """Simulated times from due to answered, in seconds, shape (runs, counted requests)."""
    due = numbers.due / rate_per_s
    crowded = law.workers > 1 and law.slowness > 0
    runs = (_CrowdedRuns if crowded else _Runs)(law, due, numbers.ranks)
    return (runs.done() - due)[:, numbers.settled :]


class _Runs:
    """Runs side by side: each step is one call in each run."""

    def __init__(self, law: QueueLaw, due_s: _Floats, ranks: _Floats) -> None:
        self.law, self.due = law, due_s
        self.calls = law.call_s[(ranks * len(law.call_s)).astype(np.int64)]
        self.longer = np.array(law.by_size)
        self.apart = 2 * float(due_s[:, -1].max()) + 1
        runs = np.arange(len(due_s))[:, None]
        self.in_a_row = (due_s + self.apart * runs).ravel()
        self.calls_put = list[tuple[_Ints, _Ints, _Floats]]()

    def done(self) -> _Floats:
        """When each request is answered, of the shape of due."""
        runs, count = self.due.shape
        first = np.zeros(runs, dtype=np.int64)
        free = np.zeros((self.law.workers, runs))
        running = np.arange(runs)
        while len(running):
            begin, at = first[running], free[:, running]
            worker = at.argmin(axis=0)
            begun = np.maximum(self.due[running, begin], free[worker, running])
            sizes = self.taken(running, begin, begun)
            idle = at.max(axis=0) < begun if self.law.idle else np.zeros(len(running), dtype=bool)
            ends = begun + self.call(running, begin, sizes, idle)
            self.put(running, begin, sizes, ends)
            free[worker, running] = ends
            first[running] += sizes
            running = running[first[running] < count]
        return self.answered()

    def taken(self, running: _Ints, begin: _Ints, begun: _Floats) -> _Ints:
        """Requests that calls take which begin now with request ``begin``: all that wait."""
        most = len(self.longer)
        if most == 1:
            return np.ones(len(running), dtype=np.int64)
        count = self.due.shape[1]
        until = np.searchsorted(self.in_a_row, begun + self.apart * running, side="right")
        sizes: _Ints = np.clip(np.minimum(until - running * count, count) - begin, 1, most)
        return sizes

    def call(self, running: _Ints, begin: _Ints, sizes: _Ints, idle: NDArray[np.bool_]) -> _Floats:
        """Seconds that these calls take alone. idle: whether the service did nothing."""
        seconds: _Floats = self.calls[begin, running] * self.longer[sizes - 1]
        return seconds * np.exp(self.law.idle * idle) if self.law.idle else seconds

    def put(self, running: _Ints, begin: _Ints, sizes: _Ints, ends: _Floats) -> None:
        """Keeps when the requests of these calls are answered."""
        self.calls_put.append((running * self.due.shape[1] + begin, sizes, ends))

    def answered(self) -> _Floats:
        """What was kept, of the shape of due."""
        firsts, sizes, ends = (np.concatenate(parts) for parts in zip(*self.calls_put, strict=True))
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        done = np.empty(self.due.size)
        done[np.repeat(firsts, sizes) + within] = np.repeat(ends, sizes)
        return done.reshape(self.due.shape)


class _CrowdedRuns(_Runs):
    """Runs side by side, whose calls slow each other: each step is a call's begin or its end."""

    def done(self) -> _Floats:
        """When each request is answered, of the shape of due."""
        runs, count = self.due.shape
        shape = (self.law.workers, runs)
        left = np.full(shape, np.inf)
        first, sizes = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        following, now = np.zeros(runs, dtype=np.int64), np.zeros(runs)
        running = np.arange(runs)
        while len(running):
            work, upcoming = left[:, running], following[running]
            busy = np.isfinite(work).sum(axis=0)
            speed = 1 / (1 + self.law.slowness * np.maximum(busy - 1, 0))
            ends = now[running] + work.min(axis=0) / speed
            arrives = np.full(len(running), np.inf)
            may = (busy < self.law.workers) & (upcoming < count)
            arrives[may] = self.due[running[may], upcoming[may]]
            at = np.minimum(ends, arrives)
            left[:, running] = work - (at - now[running]) * speed
            now[running] = at
            over = ends <= arrives
            row, worker = running[over], work[:, over].argmin(axis=0)
            self.put(row, first[worker, row], sizes[worker, row], at[over])
            left[worker, row] = np.inf
            waits = upcoming < count
            waits[waits] = self.due[running[waits], upcoming[waits]] <= at[waits]
            row, begin = running[waits], upcoming[waits]
            worker = left[:, row].argmax(axis=0)
            taken = self.taken(row, begin, at[waits])
            idle = ~np.isfinite(left[:, row]).any(axis=0) & ~over[waits]
            left[worker, row] = self.call(row, begin, taken, idle)
            first[worker, row], sizes[worker, row] = begin, taken
            following[row] += taken
            goes_on = (following[running] < count) | np.isfinite(left[:, running]).any(axis=0)
            running = running[goes_on]
        return self.answered()
