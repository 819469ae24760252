"""How much of what differs between calls the machine's state explains, and by which coefficients.

Control variates: Lavenberg & Welch 1981, A perspective on the use of control variables to increase
the efficiency of Monte Carlo simulations, Management Science 27. A figure that varies together with
another one whose usual value is known is corrected by a regression on it:

    log(time of a call) = constant of its process + work + constant of its input
                          + sum over probes of coefficient · log(probe's time around the call)

Coefficients are of the differences within processes only. Each is what share of a call's time
leans on what the probe measures, so none is negative, and each is drawn towards 0 (ridge, Hoerl &
Kennard 1970; non-negative least squares, Lawson & Hanson 1974).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LEAST_SHARE = 0.1
"""Share of a variance that a state must explain where it was held out …"""
CHANCE = 0.05
"""… and how often a state that says nothing may explain as much."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLOCKS = 8
"""Blocks of consecutive calls of a process that are held out in turn. Calls that follow one another
are alike, so that single calls would be predicted from their neighbours."""
SHIFTED = 39
"""States shifted in time that the real one is compared with: 1/40 is the smallest chance."""
_PRIORS = (0.1, 0.3, 1.0)
"""Sizes of a coefficient that are expected; the best on held-out blocks is taken."""
_INPUTS = (0.01, 1.0, 100.0)
"""Penalties of the constants of inputs: from free ones to almost none."""
_FREE, _OUTLIER = 1e-9, 4.0
_SEED = 42


@dataclass(frozen=True)
class Calls:
    """Timed calls in the order they were made; one row each.

    process: number of its process.
    inputs: number of its input.
    work: logarithms of what grows with the work, a column each.
    at: the middle of the call, in seconds.
    logs: logarithm of its seconds.
    """

    process: Ints
    inputs: Ints
    work: Floats
    at: Floats
    logs: Floats


@dataclass(frozen=True)
class States:
    """Beats in the order they were taken; one row each.

    process: number of its process.
    at: when it was taken, in seconds.
    logs: logarithms of the probes' seconds, a column each.
    """

    process: Ints
    at: Floats
    logs: Floats

    def around(self, calls: Calls) -> Floats:
        """The state around each call: between the beats before and after it, linear in time."""
        found = np.zeros((len(calls.at), self.logs.shape[1]))
        for process in np.unique(calls.process):
            mine, its = calls.process == process, self.process == process
            for column, logs in zip(found.T, self.logs.T, strict=True):
                column[mine] = np.interp(calls.at[mine], self.at[its], logs[its])
        return found


@dataclass(frozen=True)
class Explained:
    """What a regression on the machine's state explains.

    share: of the variance within processes, on blocks that were held out; below 0 where the state
        predicts worse than none.
    chance: how often a state that has nothing to do with the calls explains as much.
    coefficients: one for each probe.
    covariance: of the coefficients, by leaving out one block after the other (Efron 1982, The
        Jackknife, section 3).
    """

    share: float
    chance: float
    coefficients: Floats
    covariance: Floats


def explained(calls: Calls, states: States) -> Explained:
    """Fit and judge the regression of ``calls`` on ``states``.

    ``chance`` compares the share with that of the same beats shifted in time and turned around
    within each process, which keeps how they follow one another but not what they say of the calls.
    """
    around = states.around(calls)
    model = _Model.of(calls).cleaned(around)
    share, size, kept = model.held_out(around)
    shares = [model.held_out(other.around(calls))[0] for other in _shifted(states)]
    chance = (1 + sum(other >= share for other in shares)) / (1 + len(shares))
    off = kept - kept.mean(axis=0)
    covariance = (len(kept) - 1) / len(kept) * off.T @ off
    coefficients = model.fitted(around, size)[1]
    return Explained(share, chance, coefficients, covariance)


def tells(share: float, chance: float) -> bool:
    """Whether a state explains enough, and more than chance does."""
    return share >= LEAST_SHARE and chance <= CHANCE


def shifts(states: States) -> int:
    """How many states shifted in time there are to compare with."""
    counts = np.unique(states.process, return_counts=True)[1].tolist()
    every = 1
    for count in counts:
        every = min(SHIFTED + 1, every * 2 * count)
    return min(SHIFTED, every - 1)


def _shifted(states: States) -> Iterator[States]:
    """Beats of each process shifted in a circle by a random number, some of them turned around."""
    rows = [np.flatnonzero(states.process == process) for process in np.unique(states.process)]
    random, seen = np.random.default_rng(_SEED), {(0,) * len(rows)}
    wanted = shifts(states)
    while len(seen) <= wanted:
        by = tuple(int(random.integers(2 * len(own))) for own in rows)
        if by in seen:
            continue
        seen.add(by)
        order = np.arange(len(states.process))
        for own, number in zip(rows, by, strict=True):
            moved = np.roll(own, number // 2)
            order[own] = moved[::-1] if number % 2 else moved
        yield replace(states, logs=states.logs[order])


@dataclass(frozen=True)
class _Model:
    """The part of the regression that is there without any state.

    known: a column for each process, each kind of work and each input.
    penalty: of each of these columns' coefficients.
    logs: logarithms of the calls' seconds.
    blocks: number of the block that each call is in.
    variance: of what is left in blocks that were held out.
    """

    known: Floats
    penalty: Floats
    logs: Floats
    blocks: Ints
    variance: float = 1.0

    @classmethod
    def of(cls, calls: Calls) -> _Model:
        """The model whose penalty of inputs predicts blocks best that were held out."""
        columns = [calls.process == process for process in np.unique(calls.process)]
        work = [column - column.mean() for column in calls.work.T]
        columns += [column / column.std() for column in work if column.std() > 1e-6]
        free, inputs = len(columns), np.unique(calls.inputs)
        columns += [calls.inputs == number for number in inputs]
        known, blocks = np.stack(columns, axis=1).astype(float), _blocks(calls.process)
        models = []
        for size in _INPUTS:
            penalty = np.full(len(columns), size)
            penalty[:free] = _FREE
            model = cls(known, penalty, calls.logs, blocks)
            errors = model.errors(np.zeros((len(blocks), 0)), ())[0]
            limit = _OUTLIER * float(np.median(np.abs(errors)))
            left = float(np.mean(np.minimum(np.abs(errors), limit) ** 2))
            models.append(replace(model, variance=max(left, _FREE)))
        return min(models, key=lambda model: model.variance)

    def cleaned(self, states: Floats) -> _Model:
        """The model of calls without outliers: Huber 1981, Robust statistics, section 7.8."""
        model = self
        for _ in range(2):
            known, coefficients = model.fitted(states, _PRIORS[1])
            expected = model.known @ known + states @ coefficients
            left = model.logs - expected
            limit = _OUTLIER * 1.4826 * float(np.median(np.abs(left - np.median(left))))
            model = replace(model, logs=expected + np.clip(left, -limit, limit))
        return model

    def fitted(self, states: Floats, size: float) -> tuple[Floats, Floats]:
        """Coefficients of ``known`` and of ``states``, of which ``size`` is expected."""
        return self._fit(np.ones(len(self.logs), dtype=bool), states, (size,))[0]

    def held_out(self, states: Floats) -> tuple[float, float, Floats]:
        """The share that the best size explains, that size, and the coefficients of every fit."""
        errors, coefficients = self.errors(states, _PRIORS)
        squares = [float(row @ row) for row in errors]
        best = int(np.argmin(squares[1:]))
        share = 1 - squares[1 + best] / squares[0] if squares[0] else 0.0
        return share, _PRIORS[best], coefficients[:, best]

    def errors(self, states: Floats, sizes: Sequence[float]) -> tuple[Floats, Floats]:
        """Errors on blocks held out, without a state and by size; coefficients by block and size.

        Shapes: (1 + sizes, calls) and (blocks, sizes, probes).
        """
        numbers = np.unique(self.blocks)
        errors = np.zeros((1 + len(sizes), len(self.logs)))
        coefficients = np.zeros((len(numbers), len(sizes), states.shape[1]))
        for row, number in zip(coefficients, numbers, strict=True):
            out = self.blocks == number
            none = np.zeros((len(out), 0))
            fits = [
                (none, self._fit(~out, none, (1.0,))[0]),
                *((states, fit) for fit in self._fit(~out, states, sizes)),
            ]
            for error, (used, fit) in zip(errors, fits, strict=True):
                error[out] = self.logs[out] - self.known[out] @ fit[0] - used[out] @ fit[1]
            row[:] = [fit[1] for _, fit in fits[1:]] if sizes else row
        return errors, coefficients

    def _fit(
        self, rows: NDArray[np.bool_], states: Floats, sizes: Sequence[float]
    ) -> list[tuple[Floats, Floats]]:
        """As ``fitted`` of some rows, for each size: what is known is taken out first."""
        known, states = self.known[rows], states[rows]
        logs = self.logs[rows]
        products = known.T @ known + np.diag(self.penalty)
        solved = np.linalg.solve(products, known.T @ np.column_stack([states, logs]))
        of_states, of_logs = solved[:, :-1], solved[:, -1]
        left = states - known @ of_states
        fits = []
        for size in sizes:
            ridge = self.variance / size**2
            own = non_negative(states.T @ left, left.T @ logs, ridge)
            fits.append((of_logs - of_states @ own, own))
        return fits


def non_negative(products: Floats, moments: Floats, ridge: float) -> Floats:
    """Coefficients ≥ 0 of least squares with a ridge, from the normal equations."""
    from scipy.optimize import nnls

    if not len(moments):
        return moments
    root = np.linalg.cholesky(products + (ridge + _FREE) * np.eye(len(moments)))
    found: Floats = nnls(root.T, np.linalg.solve(root, moments))[0]
    return found


def _blocks(process: Ints) -> Ints:
    """Number of the block of each call: blocks of a process are as long as each other."""
    blocks = np.zeros(len(process), dtype=np.int64)
    for number in np.unique(process):
        mine = np.flatnonzero(process == number)
        blocks[mine] = np.arange(len(mine)) * BLOCKS // len(mine)
    return blocks
