"""What processes that were measured earlier say of how a machine's state changes a call's time.

The figure of a process is the logarithm of what its calls take, its state the logarithms of what
the metronome's probes take meanwhile, medians over its beats:

    figure = constant of its system and speech + sum over probes of coefficient · state + rest
    coefficient of a system = typical coefficient + the system's own deviation

Both parts of a coefficient are drawn towards 0 (a linear mixed model: Laird & Ware 1982,
Random-effects models for longitudinal data, Biometrics 38). None is taken as negative: it is the
share of a call's time that leans on what the probe measures.

Within a process a coefficient of single beats is too small for this: a beat of a few milliseconds
is a noisy reading, which draws a regression's coefficient towards 0 (Fuller 1987, Measurement
Error Models, section 1.1). The median of a process's beats is much less so, and it is what is
needed here: how far the whole process was from the usual state.

A process that is far off, as while another program took the machine, counts less: beyond
``_FAR`` robust standard deviations of figure or state its weight falls with the fourth power of
the distance, so that its influence falls too (Hampel et al. 1986, Robust Statistics, section 6.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from asr_scaling.core.control_variates import Floats, Ints, non_negative, tells
from asr_scaling.core.earlier import Earlier
from asr_scaling.core.typed_json import build

_TYPICAL, _OWN = 0.5, 0.15
"""Sizes that are expected of a typical coefficient, and of how far a system's is from it."""
_PARTS, _SHIFTED = 8, 39
_SEED, _FAR = 42, 4.0
_FREE = 1e-9
KEY = "state_coefficients"
"""Where a record's ``environment`` has them."""


@dataclass(frozen=True)
class Coefficients:
    """What a probe's time does to the calls of a system.

    probes: the names of the probes.
    values: probe → change of the logarithm of a call's time by that of the probe's.
    covariance: of the values, in the order of ``probes``.
    explained: share of the variance between processes that states explain, held out.
    processes: number of earlier processes that all this is from.
    """

    probes: tuple[str, ...]
    values: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    explained: float
    processes: int

    def off(self, state: Mapping[str, float], reference: Mapping[str, float]) -> Floats:
        """How far ``state`` is from ``reference`` (both probe → seconds), as logarithms."""
        return np.log([state[name] / reference[name] for name in self.probes])

    def shift(self, off: Floats) -> float:
        """By how much the logarithm of a call's time is longer for it."""
        return float(off @ np.array(self.values))

    def error(self, off: Floats) -> float:
        """Standard error of ``shift``."""
        return float(np.sqrt(max(0.0, off @ np.array(self.covariance) @ off)))


def coefficients_of(environment: Mapping[str, Any]) -> Coefficients | None:
    """What a record's ``environment`` says of its system; None where nothing was known."""
    try:
        return build(Coefficients, environment[KEY])
    except (KeyError, TypeError):
        return None


def with_coefficients(environment: Mapping[str, Any], found: Coefficients) -> dict[str, Any]:
    """``environment`` with the coefficients of a record's system."""
    return {**environment, KEY: asdict(found)}


class LearnedState:
    """What earlier processes say together.

    probes: those that the last of them has; processes without one of these are left out.
    """

    def __init__(self, earlier: Sequence[Earlier]) -> None:
        """``earlier``: in the order they were measured, each with its states."""
        self.probes = tuple(sorted(earlier[-1].states[-1])) if earlier else ()
        self._count = len(earlier)
        rows = [
            (i, one, j)
            for i, one in enumerate(earlier)
            if self.probes and all(s.get(p, 0.0) > 0 for s in one.states for p in self.probes)
            for j in range(len(one.logs))
        ]
        number = {name: k for k, name in enumerate(dict.fromkeys(r[1].system for r in rows))}
        self._systems = number
        groups = {name: k for k, name in enumerate(dict.fromkeys(r[1].timed for r in rows))}
        self._system = np.array([number[one.system] for _, one, _ in rows], dtype=np.int64)
        self._group = np.array([groups[one.timed] for _, one, _ in rows], dtype=np.int64)
        self._measured = np.array([i for i, _, _ in rows], dtype=np.int64)
        self._figures = np.array([one.logs[j] for _, one, j in rows])
        states = [[one.states[j][probe] for probe in self.probes] for _, one, j in rows]
        self._states = np.log(np.array(states).reshape(len(rows), len(self.probes)))
        self._weights = _weights(self._figures[:, None], self._group)
        self._of_states = _weights(self._states, self._group)

    @property
    def processes(self) -> int:
        """How many processes all this is from."""
        return len(self._figures)

    @cached_property
    def _as_measured(self) -> tuple[float | None, Floats]:
        return self._held_out(np.arange(self.processes))

    @property
    def explained(self) -> float | None:
        """Share of the variance between processes that states explain, where it was held out.

        The measurements are held out in parts, in turn. None without two processes of one
        system on the same speech.
        """
        return self._as_measured[0]

    @cached_property
    def chance(self) -> float:
        """How often the same states explain as much when they are shifted against the figures.

        By a random number of processes of the same system and speech, in a circle: times and
        states both drift over minutes, and a shuffle would take processes for independent.
        """
        random, share = np.random.default_rng(_SEED), self.explained
        if share is None:
            return 1.0
        as_good = 0
        for _ in range(_SHIFTED):
            shifted = np.arange(self.processes)
            for number in np.unique(self._group):
                own = np.flatnonzero(self._group == number)
                shifted[own] = np.roll(own, int(random.integers(len(own))))
            other = self._held_out(shifted)[0]
            as_good += other is not None and other >= share
        return (1 + as_good) / (1 + _SHIFTED)

    @property
    def trusted(self) -> bool:
        """Whether states explain enough, and more than chance does."""
        return self.explained is not None and tells(self.explained, self.chance)

    def left(self) -> list[tuple[float, ...]]:
        """Of each measurement the figures of its processes without what states explain.

        By coefficients of the measurements that were not held out with it. Empty for a measurement
        that was left out.
        """
        left = self._as_measured[1]
        return [tuple(left[self._measured == i].tolist()) for i in range(self._count)]

    def coefficients(self, system: str) -> Coefficients | None:
        """Those of ``system``, typical ones where it was never measured; None unless trusted."""
        if not self.trusted or self.explained is None:
            return None
        fit = self._fit(self._states, self._weights * self._of_states)
        values, covariance = (found.tolist() for found in fit.of_system(self._systems.get(system)))
        rows = tuple(map(tuple, covariance))
        return Coefficients(self.probes, tuple(values), rows, self.explained, self.processes)

    def _fit(self, states: Floats, weights: Floats) -> _Fit:
        """Of every process, as far as it has a weight; each less the means of its group."""
        table = np.column_stack([states, self._figures])
        rows = np.sqrt(weights)[:, None] * (table - self._means(table, weights))
        groups = len(np.unique(self._group[weights > 0]))
        freedom = max(1.0, float(weights.sum()) - groups)
        return _Fit.of(rows[:, :-1], rows[:, -1], self._system, len(self._systems), freedom)

    def _means(self, table: Floats, weights: Floats) -> Floats:
        """The weighted mean of its group, for each row."""
        size = 1 + int(self._group.max(initial=0))
        sums = np.zeros((size, table.shape[1]))
        np.add.at(sums, self._group, weights[:, None] * table)
        totals = np.bincount(self._group, weights, size)
        means: Floats = (sums / np.maximum(_FREE, totals)[:, None])[self._group]
        return means

    def _held_out(self, order: Ints) -> tuple[float | None, Floats]:
        """The share that states explain in this order, and the figures without what they do."""
        states, weights = self._states[order], self._weights * self._of_states[order]
        left, part = self._figures.copy(), self._measured % _PARTS
        middle = np.median(states, axis=0) if len(states) else 0.0
        for number in np.unique(part):
            out = part == number
            fit = self._fit(states, np.where(out, 0.0, weights))
            left[out] -= ((states[out] - middle) * fit.values[self._system[out]]).sum(axis=1)
        before, after = (
            float((weights[:, None] * (f - self._means(f, weights)) ** 2).sum())
            for f in (self._figures[:, None], left[:, None])
        )
        return (1 - after / before if before > _FREE else None), left


def _weights(table: Floats, group: Ints) -> Floats:
    """Of each row, by how far it is from the median of its group in any column."""
    off = table - np.array([np.median(table[group == number], axis=0) for number in group]).reshape(
        table.shape
    )
    scale = 1.4826 * np.median(np.abs(off), axis=0) if len(off) else np.ones(table.shape[1])
    far = (np.abs(off) / np.maximum(_FREE, scale)).max(axis=1, initial=0.0)
    weights: Floats = np.minimum(1.0, _FAR / np.maximum(_FREE, far)) ** 4
    return weights


@dataclass(frozen=True)
class _Fit:
    """Coefficients by system; k is the number of probes.

    typical: shape (k).
    values: of each system, shape (systems, k).
    products: of the states of each system, over the variance of the rest, shape (systems, k, k).
    of_typical: covariance of ``typical``, shape (k, k).
    """

    typical: Floats
    values: Floats
    products: Floats
    of_typical: Floats

    @classmethod
    def of(
        cls, states: Floats, figures: Floats, system: Ints, systems: int, freedom: float
    ) -> _Fit:
        """The fit of centred ``states`` and ``figures``, processes × probes and processes.

        Rows of zeros, as of what is held out, say nothing.

        systems: how many there are.
        freedom: degrees of freedom of the figures, less one for the mean of each group.
        """
        k = states.shape[1]
        products, moments = np.zeros((systems, k, k)), np.zeros((systems, k))
        np.add.at(products, system, states[:, :, None] * states[:, None, :])
        np.add.at(moments, system, states * figures[:, None])
        rest = max(_FREE, float(figures @ figures) / freedom)
        for _ in range(3):
            fit = cls._with(products / rest, moments / rest)
            errors = figures - (states * fit.values[system]).sum(axis=1)
            rest = max(_FREE, float(errors @ errors) / freedom)
        return fit

    @classmethod
    def _with(cls, products: Floats, moments: Floats) -> _Fit:
        """products, moments: X'X and X'y of each system, over the variance of the rest."""
        one = np.eye(products.shape[-1])
        spread = one + _OWN**2 * products
        information = np.linalg.solve(spread, products).sum(axis=0)
        reached = np.linalg.solve(spread, moments[:, :, None])[:, :, 0].sum(axis=0)
        typical = non_negative(information, reached, _TYPICAL**-2)
        own = np.linalg.solve(products + one / _OWN**2, (moments - products @ typical)[:, :, None])[
            :, :, 0
        ]
        of_typical = np.linalg.inv(information + one / _TYPICAL**2)
        return cls(typical, np.maximum(0.0, typical + own), products, of_typical)

    def of_system(self, number: int | None) -> tuple[Floats, Floats]:
        """Coefficients of a system and their covariance; None for one that was never measured."""
        one = np.eye(len(self.typical))
        if number is None:
            return self.typical, self.of_typical + _OWN**2 * one
        own = np.linalg.inv(self.products[number] + one / _OWN**2)
        kept = one - own @ self.products[number]
        return self.values[number], own + kept @ self.of_typical @ kept.T
