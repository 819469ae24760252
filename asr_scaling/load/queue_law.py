"""A queue whose calls take as long as those of a measured service did, simulated.

First come, first served: a worker that is free takes what waits, up to so many requests a call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
Gaps = Literal["poisson", "constant"]
"""By which law requests arrive."""


@dataclass(frozen=True)
class QueueLaw:
    """How a service answers.

    call_s: the time of a call of one request on an otherwise idle service: its quantiles at
        (i + 1/2)/m, shape (m,).
    workers: calls at a time.
    crowding: logarithm of how much longer a call takes when all other workers are busy; between
        none and all it grows in proportion.
    by_size: how much longer a call of 1, 2 … requests takes than that of one; as many as a call
        takes at most.
    """

    call_s: _Floats
    workers: int = 1
    crowding: float = 0.0
    by_size: tuple[float, ...] = (1.0,)

    @property
    def most_per_s(self) -> float:
        """Requests a second that it answers when they always wait."""
        busy_s = float(np.mean(self.call_s)) * math.exp(self.crowding)
        return self.workers / busy_s * max(n / longer for n, longer in enumerate(self.by_size, 1))


@dataclass(frozen=True)
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


def drawn(gaps: Gaps, seed: int, runs: int = 400, requests: int = 400) -> Drawn:
    """Random numbers for ``runs`` runs of ``requests`` counted requests."""
    rng = np.random.default_rng(seed)
    settled = requests // 4
    shape = (runs, requests + settled)
    between = rng.exponential(1.0, shape) if gaps == "poisson" else np.ones(shape)
    return Drawn(between, rng.random((shape[1], runs)), settled)


def latencies(law: QueueLaw, rate_per_s: float, numbers: Drawn) -> _Floats:
    """Simulated times from due to answered, in seconds, shape (runs, counted requests)."""
    due = numbers.due / rate_per_s
    return (_Runs(law, due, numbers.ranks).done() - due)[:, numbers.settled :]


class _Runs:
    """Runs side by side: each step is one call in each run."""

    def __init__(self, law: QueueLaw, due_s: _Floats, ranks: _Floats) -> None:
        self._law, self._due = law, due_s
        self._calls = law.call_s[(ranks * len(law.call_s)).astype(np.int64)]
        self._free = np.zeros((len(due_s), law.workers))
        self._longer = np.array(law.by_size)
        self._apart = 2 * float(due_s[:, -1].max()) + 1
        runs = np.arange(len(due_s))[:, None]
        self._in_a_row = (due_s + self._apart * runs).ravel()

    def done(self) -> _Floats:
        """When each request is answered, of the shape of due."""
        runs, count = self._due.shape
        done, first = np.empty((runs, count)), np.zeros(runs, dtype=np.int64)
        running, step = np.arange(runs), 0
        while len(running):
            begin = first[running]
            ends, sizes = self._call(running, begin, step)
            for more in range(int(sizes.max())):
                into = sizes > more
                done[running[into], begin[into] + more] = ends[into]
            first[running] += sizes
            running = running[first[running] < count]
            step += 1
        return done

    def _call(self, running: _Ints, begin: _Ints, step: int) -> tuple[_Floats, _Ints]:
        """One call of each running run: when it ends, and how many requests it answers."""
        free = self._free[running]
        worker = free.argmin(axis=1)
        begun = np.maximum(self._due[running, begin], free.min(axis=1))
        call = self._calls[step, running]
        if self._law.crowding and self._law.workers > 1:
            busy = (free > begun[:, None]).sum(axis=1) / (self._law.workers - 1)
            call = call * np.exp(self._law.crowding * busy)
        sizes = np.ones(len(running), dtype=np.int64)
        if len(self._longer) > 1:
            count = self._due.shape[1]
            until = np.searchsorted(self._in_a_row, begun + self._apart * running, side="right")
            waiting = np.minimum(until - running * count, count) - begin
            sizes = np.clip(waiting, 1, len(self._longer))
            call = call * self._longer[sizes - 1]
        self._free[running, worker] = begun + call
        return begun + call, sizes
