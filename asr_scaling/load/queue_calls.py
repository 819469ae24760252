"""The calls of a service, as a number of workers finds them in when requests were answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapreplace

import numpy as np
from numpy.typing import NDArray

from asr_scaling.load.cycles import found

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
Answers = Sequence[tuple[_Floats, _Floats]]
"""When the answered requests of each load were due, in order, and when they were answered; of
shape (requests,) each."""
SLOWNESS = (
    *(0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    *(0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2),
)
"""By how much longer calls take for each one beside them, from not at all to 1.2."""
_TOGETHER = 0.05
"""Share of requests answered at the same time as another from which on calls are batches."""
_FULL = 0.3
"""Share of the largest calls that left requests waiting, from which on none is larger."""


@dataclass(frozen=True)
class Calls:
    """The calls that one number of workers finds in some loads, in order.

    log_work: logarithm of the seconds that each call would have taken alone, for each slowness of
        ``SLOWNESS``, shape (slownesses, calls).
    log_speed: logarithm of the speed at which it ended, of the same shape.
    sizes: requests that it answered.
    idle: whether it began on a service that did nothing.
    there: requests that its first request found in the system.
    workers: calls at a time.
    most: requests that a call takes at most.
    """

    log_work: _Floats
    log_speed: _Floats
    sizes: _Ints
    idle: NDArray[np.bool_]
    there: _Ints
    workers: int
    most: int

    def without(self, begin: int, end: int) -> Calls:
        """All calls but those from ``begin`` to before ``end``."""
        kept = np.r_[0:begin, end : len(self.sizes)]
        return replace(
            self,
            log_work=self.log_work[:, kept],
            log_speed=self.log_speed[:, kept],
            sizes=self.sizes[kept],
            idle=self.idle[kept],
            there=self.there[kept],
        )

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Served:
    """Requests of one load, those together that were answered together.

    first_s, last_s: when the first and the last request of each call were due.
    done_s: when they were answered.
    sizes: how many they were.
    there: requests that the first of them found in the system.
    """

    first_s: _Floats
    last_s: _Floats
    done_s: _Floats
    sizes: _Ints
    there: _Ints


def served_together(loads: Answers) -> list[Served]:
    """The requests of each load, put together where they were answered at the same time.

    They are nowhere where hardly any two were: then calls are of one request.
    """
    near = _near(loads)
    return [_served(due, done, near) for due, done in loads if len(due)]


def calls_by(served: Sequence[Served], workers: int) -> Calls | None:
    """The calls by ``workers``; None where one would have ended before it began."""
    works, speeds = list[_Floats](), list[_Floats]()
    idle, left = list[bool](), list[bool]()
    for load in served:
        free, begins = [-math.inf] * workers, list[float]()
        follows = [*load.first_s[1:].tolist(), math.inf]
        rows = zip(load.last_s.tolist(), load.done_s.tolist(), follows, strict=True)
        for due, done, following in rows:
            begun = max(due, free[0])
            if done <= begun:
                return None
            begins.append(begun)
            idle.append(max(free) < begun)
            left.append(following <= begun)
            heapreplace(free, done)
        work, speed = _work(np.array(begins), load.done_s)
        works.append(np.log(work))
        speeds.append(np.log(speed))
    sizes = np.concatenate([load.sizes for load in served])
    there = np.concatenate([load.there for load in served])
    full = int(sizes.max())
    limited = full == 1 or np.mean(np.array(left)[sizes == full]) > _FULL
    most = full if limited else 4 * full
    work, speed = np.concatenate(works, axis=1), np.concatenate(speeds, axis=1)
    return Calls(work, speed, sizes, np.array(idle), there, workers, most)


def _near(loads: Answers) -> float:
    """Seconds within which answers are of one call; negative where calls are of one request."""
    latency = np.concatenate([done - due for due, done in loads])
    near = min(1e-3, 2e-3 * float(np.median(latency)))
    gaps = np.concatenate([np.diff(np.sort(done)) for _, done in loads])
    return near if (gaps <= near).mean() > _TOGETHER else -1.0


def _served(due_s: _Floats, done_s: _Floats, near_s: float) -> Served:
    """The requests of one load, put together where they were answered within ``near_s``."""
    order = np.argsort(done_s, kind="stable")
    begins = np.concatenate([[True], np.diff(done_s[order]) > near_s])
    call = np.empty(len(order), dtype=np.int64)
    call[order] = np.cumsum(begins) - 1
    count = int(call.max()) + 1
    first, last, done = (np.full(count, fill) for fill in (np.inf, -np.inf, -np.inf))
    np.minimum.at(first, call, due_s)
    np.maximum.at(last, call, due_s)
    np.maximum.at(done, call, done_s)
    there = np.full(count, len(due_s))
    np.minimum.at(there, call, found(due_s, done_s))
    by_due = np.argsort(first, kind="stable")
    sizes = np.bincount(call, minlength=count)
    return Served(first[by_due], last[by_due], done[by_due], sizes[by_due], there[by_due])


def _work(begun_s: _Floats, done_s: _Floats) -> tuple[_Floats, _Floats]:
    """Seconds that calls would have taken alone, and at which speed they ended, by slowness.

    Beside n other calls each runs at 1 / (1 + slowness · n).
    """
    at = np.concatenate([begun_s, done_s])
    change = np.repeat([1, -1], len(begun_s))
    order = np.lexsort((change, at))
    beside = np.maximum(np.cumsum(change[order]) - 1, 0)
    speed = 1 / (1 + np.array(SLOWNESS)[:, None] * beside)
    before = np.concatenate([np.ones((len(SLOWNESS), 1)), speed[:, :-1]], axis=1)
    gone, ended = np.empty_like(before), np.empty_like(before)
    gone[:, order] = np.cumsum(before * np.diff(at[order], prepend=at[order[0]]), axis=1)
    ended[:, order] = before
    count = len(begun_s)
    return gone[:, count:] - gone[:, :count], ended[:, count:]
