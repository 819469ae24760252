"""The law of a queue, found in what a service showed: when requests were due and when answered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from asr_scaling.load.queue_calls import SLOWNESS, Answers, Calls, calls_by, served_together
from asr_scaling.load.queue_law import QueueLaw

_Floats = NDArray[np.float64]
MOST_WORKERS = 16
_FARTHER = 4
"""More workers that are tried after the best number."""
FEWEST_CALLS = 40
"""With fewer calls no law is found."""
_FEWEST_IDLE = 10
_QUANTILES = 2048
_TAIL = 0.1
"""Share of the longest calls that the generalised Pareto law stands for."""
_FEWEST_IN_TAIL = 20
_POSITIVE = np.geomspace(0.01, 20, 50)
"""Shape over scale of laws that are heavier than the exponential one, times the mean."""
_STEADIEST = 0.003
"""Standard deviation of a call's logarithm below which laws are not told apart."""


@dataclass(frozen=True)
class Form:
    """What calls depend on, besides their size.

    crowded: on calls beside them. idle: on whether the service did nothing before.
    """

    crowded: bool
    idle: bool


@dataclass(frozen=True)
class _Fitted:
    """Calls under a form.

    rest: logarithm of each call's seconds alone, of size 1, after another.
    score: log likelihood, but for a constant, less what the parameters cost.
    """

    rest: _Floats
    by_size: _Floats
    slowness: float
    idle: float
    score: float


def best_calls(loads: Answers) -> tuple[Calls, Form] | None:
    """The calls by the law under which the answers are most likely, and that law's form.

    A number of workers says when each call began: when the request was due and a worker was free.
    So it says how long the call took. That number, and that form, are taken whose calls are most
    alike: the highest likelihood of lognormal calls, less what parameters cost (Schwarz 1978,
    Estimating the dimension of a model; here three times as much, so that few are found in
    noise). None with fewer than 40 calls.
    """
    if sum(len(due) for due, _ in loads) < FEWEST_CALLS:
        return None
    served = served_together(loads)
    best: tuple[float, Calls, Form] | None = None
    for workers in range(1, MOST_WORKERS + 1):
        if best is not None and workers > best[1].workers + _FARTHER:
            break
        calls = calls_by(served, workers)
        if calls is None or len(calls) < FEWEST_CALLS:
            continue
        for crowded, idle in product((False, True)[: min(workers, 2)], (False, True)):
            form = Form(crowded, idle)
            score = _fitted(calls, form).score
            if best is None or score > best[0] + 1e-6 * abs(score):
                best = (score, calls, form)
        if calls.log_speed[-1].min() > -math.log1p(SLOWNESS[-1] * (workers - 1)) + 1e-9:
            break  # they are never all busy
    return best and (best[1], best[2])


def law_of(calls: Calls, form: Form) -> QueueLaw:
    """The law of a queue whose calls these are."""
    fitted = _fitted(calls, form)
    by_size = tuple(fitted.by_size.tolist())
    times = _quantiles(np.exp(fitted.rest))
    return QueueLaw(times, calls.workers, fitted.slowness, fitted.idle, by_size)


def dependence(calls: Calls, form: Form) -> tuple[float, float]:
    """By how much calls depend on the queue, beyond their law: it says not at all.

    Difference of the mean logarithm of calls that begin a busier and an emptier half, and how many
    standard errors Spearman's rank correlation of both is from 0.
    """
    rest = _fitted(calls, form).rest
    busier = calls.there > np.median(calls.there)
    if np.ptp(rest) < _STEADIEST or not busier.any() or busier.all():
        return 0.0, 0.0
    rank = float(np.corrcoef(_ranks(rest), _ranks(calls.there))[0, 1])
    difference = float(rest[busier].mean() - rest[~busier].mean())
    return difference, abs(rank) * math.sqrt(len(rest) - 1)


def _fitted(calls: Calls, form: Form) -> _Fitted:
    """The form's parameters, each fitted after the ones before it."""
    by_size = _by_size(calls)
    works = calls.log_work[: len(SLOWNESS) if form.crowded else 1] - np.log(
        by_size[calls.sizes - 1]
    )
    count, effects = len(calls), np.zeros(len(works))
    if form.idle and _FEWEST_IDLE <= calls.idle.sum() <= count - _FEWEST_IDLE:
        effects = works[:, calls.idle].mean(axis=1) - works[:, ~calls.idle].mean(axis=1)
    rests = works - effects[:, None] * calls.idle
    deviations = np.maximum(rests.std(axis=1), _STEADIEST)
    ended = calls.log_speed[: len(works)].sum(axis=1)
    fits = ended - works.sum(axis=1) - count * np.log(deviations)
    best = int(fits.argmax())
    score = float(fits[best]) - 1.5 * math.log(count) * (form.crowded + form.idle)
    return _Fitted(rests[best], by_size, SLOWNESS[best], float(effects[best]), score)


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
        rest = calls.log_work[0] - base
        slope = more / (1 + share * more)
        slope = slope - slope.mean()
        step = float(slope @ (rest - rest.mean())) / max(float(slope @ slope), 1e-12)
        share = min(max(share + step, 0.0), 2.0)
    return 1 + share * np.arange(calls.most, dtype=np.float64)


def _ranks(values: NDArray[np.generic]) -> _Floats:
    """Twice the rank of each value; equal ones share theirs."""
    ordered = np.sort(values)
    first, last = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray(first + last, dtype=np.float64)


def _quantiles(times: _Floats) -> _Floats:
    """Quantiles of calls' times at (i + 1/2)/m, the longest by a generalised Pareto law.

    So calls that are longer than any seen have their share.
    """
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    ordered = np.sort(times)
    quantiles = np.interp(at * len(times) - 0.5, np.arange(len(times)), ordered)
    start = float(ordered[int((1 - _TAIL) * len(times))])
    beyond = ordered[ordered > start] - start
    if len(beyond) < _FEWEST_IN_TAIL or beyond.mean() < _STEADIEST * start:
        return quantiles
    shape, scale = _pareto(beyond)
    left = (1 - at[at > 1 - _TAIL]) / _TAIL
    power = -np.log(left) if abs(shape) < 1e-6 else (left**-shape - 1) / shape
    quantiles[at > 1 - _TAIL] = start + scale * power
    return np.maximum.accumulate(quantiles)


def _pareto(beyond: _Floats) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto law that is most likely for these excesses.

    Of one parameter, shape over scale, both follow (Grimshaw 1993, Technometrics 35); it is looked
    for on a grid. Shapes from -0.5 to 0.9.
    """
    mean = float(beyond.mean())
    grid = np.concatenate(
        [np.linspace(-1, -0.01, 30) * (1 - 1e-6) / beyond.max(), _POSITIVE / mean]
    )
    shapes = np.log1p(grid[:, None] * beyond).mean(axis=1)
    likely = np.log(grid / shapes) - shapes
    likely[(shapes < -0.5) | (shapes > 0.9)] = -np.inf
    best = int(likely.argmax())
    if likely[best] < -math.log(mean) - 1:
        return 0.0, mean
    return float(shapes[best]), float(shapes[best] / grid[best])
