"""How well a law predicts what it was not fitted to, as cells and as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import Fit, HeldOut, NoFit, Power
from asr_scaling.report.cells import missing
from asr_scaling.report.document import Cell

_MOST = 12
"""Bullets of one kind; the table has the rest."""


def held_out_cells(fit: Fit | Power | NoFit) -> tuple[Cell, Cell]:
    """Worst and mean held-out error in per cent; the single errors are the note of the first."""
    if isinstance(fit, NoFit):
        return missing(fit.reason), missing(fit.reason)
    held = fit.held_out
    if held.worst is None or held.mean is None:
        reason = "without any one of them, the others don't determine the law"
        return missing(reason), missing(reason)
    return Cell(f"{100 * held.worst:,.1f}", held.worst, _each_error(held)), Cell(
        f"{100 * held.mean:,.1f}", held.mean
    )


def _each_error(held: HeldOut) -> str:
    """ "5 s: +2.1 %, 60 s: not determined by the others": predicted against measured."""
    said = [
        f"{name}: {'not determined by the others' if error is None else f'{100 * error:+.1f} %'}"
        for name, error in held.errors.items()
    ]
    return ", ".join(said)


def capped(lines: Sequence[str]) -> tuple[str, ...]:
    """The first of ``lines``, and how many more there are."""
    if len(lines) <= _MOST:
        return tuple(lines)
    return (
        *lines[: _MOST - 1],
        f"… and {len(lines) - _MOST + 1} more of this kind: see the table.",
    )
