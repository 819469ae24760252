"""What is believed of the speed of every composition, measured or not.

A Gaussian process (Rasmussen & Williams 2006, chapter 2) over log speed. Two compositions of one
engine share what the engine does, what each common optimisation does there, and what each common
pair does together; two engines share a part of what an optimisation does; two batch sizes share
most of all this. What the host does meanwhile is a second process, over time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asr_scaling.search.candidates import Entry
from asr_scaling.search.priors import Priors

_SHARED = 0.2
"""Standard deviation of what an optimisation does on all engines alike, in log speed; so below."""
_PAIR = 0.15
"""Of what two optimisations do together beyond what each does."""
_ARM = 0.015
"""Of what only this composition does."""
_OFFSET = 0.3
"""Of what the zero of the log speeds of some calls is off."""
_OTHER_BATCH = 0.7
"""Correlation of what the same thing does at two batch sizes."""
_DRIFT = 0.04
"""Of what the host does to all measurements of some minutes."""
_DRIFT_S = 240.0
"""Seconds after which that is mostly another."""

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Sighting:
    """The speed of an entry in one trial."""

    entry: Entry
    log_speed: float
    """Against the first trial with the same calls."""
    at_s: float
    """When, in seconds of the search."""
    noise: float
    """Standard deviation of what such a trial is off by itself."""
    calls: str
    """Which calls were timed: only sightings of the same calls have the same zero."""


@dataclass(frozen=True)
class Beliefs:
    """Of some entries, each against all the others."""

    means: Array
    """Expected log speed."""
    rows: _Rows
    explained: Array
    """Sightings × entries; what a pair's columns have in common is taken off its covariance."""

    def ahead(self, index: int) -> tuple[Array, Array]:
        """How far each is ahead of the one at ``index``: means and standard deviations."""
        one = self.rows.only(index)
        column = _covariance(self.rows, one)[:, 0] - self.explained.T @ self.explained[:, index]
        own = self.rows.variances - (self.explained**2).sum(axis=0)
        spread = own + own[index] - 2 * column
        return self.means - self.means[index], np.sqrt(np.maximum(spread, 1e-12))


def expected_gain(behind: Array, spread: Array) -> Array:
    """How much of what is so far behind the best may come out ahead of it, as a mean of log speed.

    behind: at most 0.
    spread: standard deviation of it.
    """
    from scipy.special import ndtr

    z = behind / spread
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    result: Array = spread * (z * ndtr(z) + density)
    return result


class SpeedModel:
    """Learns from sightings; ``optimisations`` names all that may occur."""

    def __init__(self, priors: Priors, optimisations: Sequence[str]) -> None:
        self._priors = priors
        self._column = {name: number for number, name in enumerate(optimisations)}
        self._seen: list[Sighting] = []
        self._known: _Rows | None = None
        self._rows_of: dict[Entry, tuple[Any, ...]] = {}
        self._numbers: dict[str, int] = {}
        self._solved: tuple[Array, Array] | None = None

    def add(self, sighting: Sighting) -> int:
        """Take a sighting into account; its number, for ``correct``."""
        self._seen.append(sighting)
        row = self._rows([sighting.entry])
        self._known = row if self._known is None else self._known.joined(row)
        self._solved = None
        return len(self._seen) - 1

    def correct(self, number: int, log_speed: float) -> None:
        """The speed of a sighting, known better by now."""
        self._seen[number] = replace(self._seen[number], log_speed=log_speed)
        self._solved = None

    def believed(self, entries: Sequence[Entry]) -> Beliefs:
        """Of ``entries``, all of one batch size."""
        from scipy.linalg import solve_triangular

        rows = self._rows(entries)
        if self._known is None:
            return Beliefs(rows.expected, rows, np.zeros((0, len(entries))))
        factor, weights = self._solve()
        across = _covariance(self._known, rows)
        explained = solve_triangular(factor, across, lower=True)
        return Beliefs(rows.expected + across.T @ weights, rows, explained)

    def _solve(self) -> tuple[Array, Array]:
        """The Cholesky factor of the sightings' covariance, and the weights of the sightings."""
        from scipy.linalg import cho_solve

        if self._solved is None:
            known = self._known
            assert known is not None
            at = np.array([sighting.at_s for sighting in self._seen])
            noise = np.array([sighting.noise for sighting in self._seen])
            drift = _DRIFT**2 * np.exp(-np.abs(at[:, None] - at[None, :]) / _DRIFT_S)
            calls = np.array([sighting.calls for sighting in self._seen])
            same = calls[:, None] == calls[None, :]
            whole = _covariance(known, known) + drift + _OFFSET**2 * same + np.diag(noise**2)
            factor = np.linalg.cholesky(whole)
            off = np.array([sighting.log_speed for sighting in self._seen]) - known.expected
            weights = cho_solve((factor, True), off)
            self._solved = factor, weights
        return self._solved

    def _rows(self, entries: Sequence[Entry]) -> _Rows:
        rows = list(map(self._row, entries))
        columns = zip(*rows, strict=True) if rows else [[]] * 7
        return _Rows(*map(np.array, columns))

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        if entry not in self._rows_of:
            used, own = np.zeros((2, len(self._column)))
            for name in entry.candidate.optimisations:
                used[self._column[name]] = 1.0
                own[self._column[name]] = self._priors.option(entry, name).sd
            engine_sd, expected = self._priors.engine(entry).sd, self._priors.expected(entry)
            engine, label = (
                self._number(entry.candidate.engine),
                self._number(entry.candidate.label),
            )
            row = engine, label, entry.batch, used, own, engine_sd, expected
            self._rows_of[entry] = row
        return self._rows_of[entry]

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))


@dataclass(frozen=True)
class _Rows:
    """Entries as the columns of a table."""

    engines: Array
    """A number each; so the labels."""
    labels: Array
    batches: Array
    used: Array
    """1 where an optimisation is used."""
    own: Array
    """There, the standard deviation of what it does on this engine."""
    engine_sd: Array
    expected: Array

    @property
    def variances(self) -> Array:
        """Of each entry's log speed, before anything is seen."""
        count = self.used.sum(axis=1)
        own = self.engine_sd**2 + (self.own**2).sum(axis=1) + _ARM**2
        result: Array = own + _PAIR**2 * count * (count - 1) / 2 + _SHARED**2 * count
        return result

    def only(self, index: int) -> _Rows:
        """One of them."""
        return _Rows(*(value[index : index + 1] for value in vars(self).values()))

    def joined(self, other: _Rows) -> _Rows:
        """These and then the others."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Rows(*map(np.concatenate, pairs))


def _covariance(a: _Rows, b: _Rows) -> Array:
    same_engine = a.engines[:, None] == b.engines[None, :]
    common = a.used @ b.used.T
    own = np.outer(a.engine_sd, b.engine_sd) + a.own @ b.own.T
    own += _PAIR**2 * common * (common - 1) / 2
    own += _ARM**2 * (a.labels[:, None] == b.labels[None, :])
    alike = np.where(a.batches[:, None] == b.batches[None, :], 1.0, _OTHER_BATCH)
    result: Array = alike * (same_engine * own + _SHARED**2 * common)
    return result
