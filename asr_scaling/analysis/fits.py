"""Laws fitted to measurements, with intervals of 95 % and errors on held-out groups.

A fit minimises relative deviations, as errors of times and joules grow with the value. Intervals
hold only where the law does; the errors on held-out groups say whether it does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.statistics import CONFIDENCE, Interval

_ALIKE = 1e-9
"""Columns are dependent below this ratio of their smallest to their largest singular value."""
BADLY = 0.15
"""Worst held-out error, as a share, above which a law of length or batch predicts badly."""
Prediction = Literal["well", "badly", "unchecked", "no law"]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NoFit:
    """The values determine no law."""

    reason: str
    """Why, as the end of a sentence."""


@dataclass(frozen=True)
class HeldOut:
    """How far a law is off for groups that it wasn't fitted to."""

    errors: Mapping[Hashable, float | None]
    """Group → its largest (predicted / measured - 1); None where the others determine no law."""

    @property
    def worst(self) -> float | None:
        """The largest magnitude; None when no group could be predicted."""
        return max(self._sizes, default=None)

    @property
    def mean(self) -> float | None:
        """The mean magnitude."""
        return sum(self._sizes) / len(self._sizes) if self._sizes else None

    @property
    def _sizes(self) -> list[float]:
        return [abs(error) for error in self.errors.values() if error is not None]


@dataclass(frozen=True)
class Fit:
    """y = Σ coefficient · column."""

    coefficients: tuple[float, ...]
    intervals: tuple[Interval | None, ...]
    """Of each coefficient; None without a degree of freedom."""
    freedom: int
    """Degrees of freedom; 0 where the law goes through every value."""
    spread: tuple[tuple[float, ...], ...]
    """Covariance of the coefficients times t²: on its diagonal the squared half intervals.

    Empty without a degree of freedom.
    """
    held_out: HeldOut

    def predict(self, row: Sequence[float]) -> float:
        """What the law says at one value of each column, in y's unit."""
        return math.fsum(c * x for c, x in zip(self.coefficients, row, strict=True))

    def quotient(self, over: int, under: int) -> Interval | None:
        """Interval of one coefficient over another (Fieller 1954); None where ``under`` may be 0.

        It holds every q that a t-test of ``over`` - q · ``under`` = 0 doesn't reject at 5 %.
        """
        if not self.spread:
            return None
        a, b = self.coefficients[over], self.coefficients[under]
        lead, rest = b * b - self.spread[under][under], a * a - self.spread[over][over]
        middle = a * b - self.spread[over][under]
        if lead <= 0:
            return None
        root = math.sqrt(max(0.0, middle * middle - lead * rest))
        return Interval((middle - root) / lead, (middle + root) / lead)


@dataclass(frozen=True)
class Power:
    """y = ``factor`` · x ^ ``exponent``; ``interval`` and ``freedom`` as in ``Fit``."""

    factor: float
    exponent: float
    interval: Interval | None
    freedom: int
    held_out: HeldOut

    def predict(self, x: float) -> float:
        """What the law says at ``x`` > 0, in y's unit."""
        return float(self.factor * x**self.exponent)


def linear_fit(
    columns: Sequence[Sequence[float]], y: Sequence[float], groups: Sequence[Hashable]
) -> Fit | NoFit:
    """Coefficients of ``columns`` by least squares of relative deviations, weights 1 / y².

    columns: each as long as ``y``.
    y: above 0, in any unit.
    groups: values of one group are held out together.
    Weighted least squares and Student's t on the coefficients: Draper & Smith, Applied Regression
    Analysis, 3rd ed. 1998, chapters 5 and 9. Groups held out in turn: Geisser 1975, The predictive
    sample reuse method, JASA 70.
    """
    values = np.asarray(y, dtype=float)
    if not len(values) or not np.all(np.isfinite(values)) or values.min() <= 0:
        return NoFit("a law of relative deviations needs values above 0")
    matrix = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    design, target = matrix / values[:, None], np.ones(len(values))
    fit = _least_squares(design, target)
    if isinstance(fit, NoFit):
        return fit
    return replace(fit, held_out=_held_out(design, target, groups, lambda off: off))


def power_fit(x: Sequence[float], y: Sequence[float], groups: Sequence[Hashable]) -> Power | NoFit:
    """Factor and exponent by least squares of log y on log x; ``x`` and ``y`` above 0, in any unit.

    The allometric line of ordinary regression on logarithms (Draper & Smith 1998, chapter 13): the
    factor is that of the geometric mean. Intervals and held-out groups as in ``linear_fit``.
    """
    if not len(x) or min(*x, *y) <= 0 or not all(map(math.isfinite, (*x, *y))):
        return NoFit("a power law needs values above 0")
    target = np.log(np.asarray(y, dtype=float))
    design = np.column_stack([np.ones(len(x)), np.log(np.asarray(x, dtype=float))])
    fit = _least_squares(design, target)
    if isinstance(fit, NoFit):
        return fit
    constant, exponent = fit.coefficients
    held_out = _held_out(design, target, groups, np.expm1)
    return Power(math.exp(constant), exponent, fit.intervals[1], fit.freedom, held_out)


def prediction(fit: Fit | Power | NoFit, beyond: float = BADLY) -> Prediction:
    """How well a law predicts what it was not fitted to.

    "badly" when its worst held-out error exceeds the share ``beyond``; "unchecked" without one.
    """
    if isinstance(fit, NoFit):
        return "no law"
    if fit.held_out.worst is None:
        return "unchecked"
    return "badly" if fit.held_out.worst > beyond else "well"


def quotient_interval(
    a: float, of_a: Interval | None, b: float, of_b: Interval | None
) -> Interval | None:
    """Interval of a / b, two independent values above 0; None where one has none above 0.

    Limits recovered from those of both, on logarithms (Zou & Donner 2008, Statistics in Medicine
    27).
    """
    if of_a is None or of_b is None or min(of_a.low, of_b.low) <= 0:
        return None
    down = math.hypot(math.log(a / of_a.low), math.log(of_b.high / b))
    up = math.hypot(math.log(of_a.high / a), math.log(b / of_b.low))
    return Interval(a / b * math.exp(-down), a / b * math.exp(up))


def _least_squares(design: _Floats, target: _Floats) -> Fit | NoFit:
    """The fit, nothing held out yet."""
    from scipy.special import stdtrit

    solved = _solve(design, target)
    if solved is None:
        return NoFit("the points don't tell its coefficients apart")
    coefficients, inverse = solved
    freedom = len(target) - design.shape[1]
    best = tuple(map(float, coefficients))
    if freedom < 1:
        return Fit(best, (None,) * len(best), freedom, (), HeldOut({}))
    off = target - design @ coefficients
    residual = math.sqrt(float(off @ off) / freedom)
    spread = inverse * (residual * float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / 2))) ** 2
    halves = [math.sqrt(float(square)) for square in np.diag(spread)]
    intervals = tuple(Interval(c - half, c + half) for c, half in zip(best, halves, strict=True))
    return Fit(best, intervals, freedom, tuple(map(tuple, spread.tolist())), HeldOut({}))


def _solve(design: _Floats, target: _Floats) -> tuple[_Floats, _Floats] | None:
    """Coefficients and (XᵀX)⁻¹, from columns of unit length; None when these are dependent."""
    sizes = np.sqrt((design**2).sum(axis=0))
    if len(target) < design.shape[1] or not sizes.all():
        return None
    u, singular, rows = np.linalg.svd(design / sizes, full_matrices=False)
    if singular[-1] < _ALIKE * singular[0]:
        return None
    back = rows.T / singular / sizes[:, None]
    return back @ (u.T @ target), back @ back.T


def _held_out(
    design: _Floats,
    target: _Floats,
    groups: Sequence[Hashable],
    relative: Callable[[_Floats], _Floats],
) -> HeldOut:
    """``relative``: from a prediction minus its target to predicted over measured minus 1."""
    errors: dict[Hashable, float | None] = {}
    for group in dict.fromkeys(groups):
        out = np.array([other == group for other in groups])
        solved = _solve(design[~out], target[~out])
        if solved is None:
            errors[group] = None
            continue
        off = relative(design[out] @ solved[0] - target[out])
        errors[group] = float(off[np.argmax(np.abs(off))])
    return HeldOut(errors)
