"""What the tables of all laws share: coefficients, held-out errors, and lists of lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from asr_scaling.analysis.fits import BADLY, Fit, NoFit, Power, prediction
from asr_scaling.report.cells import missing, number
from asr_scaling.report.document import Cell
from asr_scaling.report.fields import Field, field, text

_MOST = 12
"""Bullets of one kind; the table has the rest."""


class Law(Protocol):
    """What was fitted to the points of a row."""

    @property
    def fit(self) -> Fit | Power | NoFit:
        """The law, or why there is none."""


def held_out_fields(what: str, beyond: float = BADLY) -> tuple[Field[Law], ...]:
    """How well a law predicts each ``what`` held out; badly ``beyond`` this share."""
    meaning = f"The {what} it misjudges most when fitted to the others."
    return (
        field("held-out error, worst", "%", lambda law: held_out_cells(law.fit)[0], meaning),
        field("held-out error, mean", "%", lambda law: held_out_cells(law.fit)[1]),
        text("predicts", lambda law: prediction(law.fit, beyond)),
    )


def held_out_cells(fit: Fit | Power | NoFit) -> tuple[Cell, Cell]:
    """Worst and mean held-out error in per cent; the single errors are the note of the first."""
    if isinstance(fit, NoFit):
        return missing(fit.reason), missing(fit.reason)
    worst, mean = fit.held_out.worst, fit.held_out.mean
    if worst is None or mean is None:
        none = missing("without any one of them, the others don't determine the law")
        return none, none
    errors = [
        f"{name}: {'not determined by the others' if error is None else f'{100 * error:+.1f} %'}"
        for name, error in fit.held_out.errors.items()
    ]
    return Cell(f"{100 * worst:,.1f}", worst, ", ".join(errors)), Cell(f"{100 * mean:,.1f}", mean)


def coefficient(fit: Fit | NoFit, place: int, factor: float = 1.0, what: str = "") -> Cell:
    """A coefficient times ``factor``; the note says where two points, of ``what``, set the law."""
    if isinstance(fit, NoFit):
        return missing(fit.reason)
    note = no_interval(what) if what and not fit.freedom else ""
    return number(fit.coefficients[place], fit.intervals[place], factor, note=note)


def no_interval(what: str) -> str:
    """Why a law through two points has no intervals."""
    return f"Two {what}: the law goes through both, and no interval can be had."


def capped(lines: Sequence[str]) -> tuple[str, ...]:
    """The first of ``lines``, and how many more there are."""
    if len(lines) <= _MOST:
        return tuple(lines)
    more = f"… and {len(lines) - _MOST + 1} more of this kind: see the table."
    return (*lines[: _MOST - 1], more)
