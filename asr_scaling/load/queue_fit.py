"""The law of a queue, found in what a service showed: when requests were due and when answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapreplace

import numpy as np
from numpy.typing import NDArray

from asr_scaling.load.cycles import found
from asr_scaling.load.queue_law import QueueLaw

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
MOST_WORKERS = 16
FEWEST_CALLS = 40
"""With fewer calls no law is found."""
_QUANTILES = 2048
_TAIL = 0.1
"""Share of the longest calls that the generalised Pareto law stands for."""
_FEWEST_IN_TAIL = 20
_TOGETHER = 0.05
"""Share of requests answered at the same time as another from which on calls are batches."""
_STEADIEST = 0.003
"""Standard deviation of a call's logarithm below which laws are not told apart."""


@dataclass(frozen=True)
class Calls:
    """The calls that one law of a queue finds in some loads, in order.

    log_s: logarithm of each call's seconds.
    sizes: requests that it answered.
    busy: share of the other workers that were busy when it began, 0…1.
    there: requests that its first request found in the system.
    workers: of the law.
    most: requests that a call takes at most.
    """

    log_s: _Floats
    sizes: _Ints
    busy: _Floats
    there: _Ints
    workers: int
    most: int

    def without(self, begin: int, end: int) -> Calls:
        """All calls but those from ``begin`` to before ``end``."""
        kept = np.r_[0:begin, end : len(self.log_s)]
        rows = (self.log_s[kept], self.sizes[kept], self.busy[kept], self.there[kept])
        return Calls(*rows, self.workers, self.most)


@dataclass(frozen=True)
class _Served:
    """Requests of one load that were answered together or alone.

    first_s, last_s: when the first and the last request of each call were due.
    done_s: when they were answered.
    """

    first_s: _Floats
    last_s: _Floats
    done_s: _Floats
    sizes: _Ints
    there: _Ints


def best_calls(loads: Sequence[tuple[_Floats, _Floats]]) -> tuple[Calls, bool] | None:
    """The calls by the law under which the answers are most likely, and whether crowding counts.

    loads: when the requests of each load were due, in order, and when they were answered, shape
        (requests,) each; without those that have no answer.

    A number of workers says when each call began: when the request was due and a worker was free.
    So it says how long the call took. Of all numbers that one is taken whose calls are most alike:
    the highest likelihood of lognormal calls, less what crowding's parameter costs (Schwarz 1978,
    Estimating the dimension of a model). None with fewer than 40 calls.
    """
    served = [_served(due, done, _batched(loads)) for due, done in loads]
    best: tuple[float, Calls, bool] | None = None
    for workers in range(1, MOST_WORKERS + 1):
        calls = _calls(served, workers)
        if calls is None or len(calls.log_s) < FEWEST_CALLS:
            continue
        for crowded in (False, True)[: min(workers, 2)]:
            score = _score(calls, crowded)
            if best is None or score > best[0] + 1e-6 * abs(score):
                best = (score, calls, crowded)
        if workers > 1 and calls.busy.max() < 1:
            break
    return best and (best[1], best[2])


def law_of(calls: Calls, crowded: bool) -> QueueLaw:
    """The law of a queue whose calls these are."""
    by_size = _by_size(calls)
    alone = calls.log_s - np.log(by_size[calls.sizes - 1])
    crowding = _crowding(calls, alone) if crowded else 0.0
    times = np.exp(alone - crowding * calls.busy)
    return QueueLaw(_quantiles(times), calls.workers, crowding, tuple(by_size.tolist()))


def dependence(calls: Calls, crowded: bool) -> tuple[float, float]:
    """By how much calls depend on the queue, beyond their law: it says not at all.

    Difference of the mean logarithm of calls that begin a busier and an emptier half, and how many
    standard errors Spearman's rank correlation of both is from 0.
    """
    by_size = _by_size(calls)
    rest = calls.log_s - np.log(by_size[calls.sizes - 1])
    rest = rest - (_crowding(calls, rest) if crowded else 0.0) * calls.busy
    busier = calls.there > np.median(calls.there)
    if np.ptp(rest) < _STEADIEST or not busier.any() or busier.all():
        return 0.0, 0.0
    rank = float(np.corrcoef(_ranks(rest), _ranks(calls.there))[0, 1])
    difference = float(rest[busier].mean() - rest[~busier].mean())
    return difference, abs(rank) * math.sqrt(len(rest) - 1)


def _batched(loads: Sequence[tuple[_Floats, _Floats]]) -> float:
    """Seconds within which answers are of one call; negative where calls are of one request."""
    latency = np.concatenate([done - due for due, done in loads])
    near = min(1e-3, 2e-3 * float(np.median(latency)))
    gaps = np.concatenate([np.diff(np.sort(done)) for _, done in loads])
    return near if (gaps <= near).mean() > _TOGETHER else -1.0


def _served(due_s: _Floats, done_s: _Floats, near_s: float) -> _Served:
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
    rows = (first[by_due], last[by_due], done[by_due], sizes[by_due], there[by_due])
    return _Served(*rows)


def _calls(served: Sequence[_Served], workers: int) -> Calls | None:
    """The calls by ``workers``; None where one would have ended before it began."""
    seconds, busy, left = list[float](), list[float](), list[bool]()
    for load in served:
        free = [-math.inf] * workers
        follows = [*load.first_s[1:].tolist(), math.inf]
        rows = zip(load.last_s.tolist(), load.done_s.tolist(), follows, strict=True)
        for due, done, following in rows:
            begun = max(due, free[0])
            if done <= begun:
                return None
            seconds.append(done - begun)
            busy.append(sum(end > begun for end in free) / (workers - 1) if workers > 1 else 0.0)
            left.append(following <= begun)
            heapreplace(free, done)
    sizes = np.concatenate([load.sizes for load in served])
    there = np.concatenate([load.there for load in served])
    full = int(sizes.max())
    limited = full == 1 or np.mean(np.array(left)[sizes == full]) > 0.3
    most = full if limited else 4 * full
    return Calls(np.log(seconds), sizes, np.array(busy), there, workers, most)


def _by_size(calls: Calls) -> _Floats:
    """How much longer calls of 1 … most requests take than those of one: a line, fitted to logs.

    Gauss-Newton's steps on log(1 + share · (size - 1)).
    """
    if calls.most == 1:
        return np.ones(1)
    more = calls.sizes - 1.0
    share = 0.3
    for _ in range(20):
        base = np.log1p(share * more)
        rest = calls.log_s - base
        slope = more / (1 + share * more)
        slope = slope - slope.mean()
        step = float(slope @ (rest - rest.mean())) / max(float(slope @ slope), 1e-12)
        share = min(max(share + step, 0.0), 2.0)
    return 1 + share * np.arange(calls.most)


def _crowding(calls: Calls, alone: _Floats) -> float:
    """Slope of the logarithm of calls over the share of busy workers, by least squares."""
    busy = calls.busy - calls.busy.mean()
    return float(busy @ alone) / max(float(busy @ busy), 1e-12)


def _score(calls: Calls, crowded: bool) -> float:
    """Log likelihood of lognormal calls, but for a constant, less what parameters cost."""
    by_size = _by_size(calls)
    alone = calls.log_s - np.log(by_size[calls.sizes - 1])
    rest = alone - (_crowding(calls, alone) * calls.busy if crowded else 0.0)
    deviation = max(float(rest.std()), _STEADIEST)
    count = len(rest)
    fit = -count * math.log(deviation) - float(calls.log_s.sum())
    return fit - (1.5 * math.log(count) if crowded else 0.0)


def _ranks(values: NDArray[np.generic]) -> _Floats:
    """Twice the rank of each value; equal ones share theirs."""
    ordered = np.sort(values)
    first, last = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    ranks: _Floats = (first + last).astype(np.float64)
    return ranks


def _quantiles(times: _Floats) -> _Floats:
    """Quantiles of calls' times at (i + 1/2)/m, the longest by a generalised Pareto law.

    So calls that are longer than any seen have their share. Its two parameters follow from
    probability-weighted moments: Hosking & Wallis 1987, Technometrics 29.
    """
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    quantiles = np.quantile(times, at, method="hazen")
    start = float(np.quantile(times, 1 - _TAIL))
    beyond = np.sort(times[times > start]) - start
    if len(beyond) < _FEWEST_IN_TAIL or beyond.mean() < _STEADIEST * start:
        return quantiles
    count = len(beyond)
    mean = float(beyond.mean())
    weighted = float((beyond * (1 - (np.arange(1, count + 1) - 0.35) / count)).mean())
    shape = min(max(2 - mean / (mean - 2 * weighted), -0.5), 0.7)
    scale = mean * (1 - shape)
    left = (1 - at[at > 1 - _TAIL]) / _TAIL
    power = -np.log(left) if abs(shape) < 1e-6 else (left**-shape - 1) / shape
    quantiles[at > 1 - _TAIL] = start + scale * power
    return np.maximum.accumulate(quantiles)
