"""The table of what systems hold: a row a system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from asr_scaling.analysis.capacity.curves import (
    JOULES,
    LOAD_WER,
    RTFX_HELD,
    TAILS,
    Cost,
    Curve,
    cost,
)
from asr_scaling.analysis.capacity.holding import tail_of
from asr_scaling.analysis.capacity.limits import limits
from asr_scaling.analysis.format import plain
from asr_scaling.core.energy_methods import NOT_MEASURED, power_known
from asr_scaling.core.pooled_loads import PooledLoad
from asr_scaling.report.cells import figure, missing, number, words
from asr_scaling.report.document import Cell, Column, Table
from asr_scaling.report.fields import Field, field, field_table, text

KILO = 1e-3
_TAIL = "of the latency, at the load nearest to half of what it holds"
_WER_MEANING = "of the texts at the load nearest to capacity"
_WER_ALONE = "of the same utterances, called one by one"
_ENERGY = "for an hour of audio, the idle machine's share included"
_MACHINE = "for which the machine is taken by an hour of audio: 3600 / RTFx"
_NO_LOAD = "no load kept a bound"
_WHICH: dict[str, Callable[[Curve], str]] = {
    "Device": lambda curve: curve.point.device,
    "Bound": lambda curve: curve.bound or "none",
    "Arrivals": lambda curve: "closed loop" if curve.closed else curve.arrivals,
}
"""What curves of a system may differ in."""


def capacity_table(curves: Sequence[Curve]) -> Table:
    """A row for each system, arrival law and bound; closed loads have a table of their own."""
    opened = [curve for curve in curves if not curve.closed]
    apart, alike = told(opened)
    name = tail_of(opened) or "p99"
    tail: Field[Curve] = field(name, "s, at half of it", partial(_half_tail, name), _TAIL)
    notes = [
        "kJ/h and s/h: for an hour of audio. At half and at full: at the measured load nearest to "
        "half of the capacity and to all of it, of those that kept the bound; the note of a cell "
        "says which.",
        *dict.fromkeys(f"Energy is {c.point.energy_method}." for c in curves if _known(c)),
    ]
    return field_table(
        "capacity",
        f"What each system holds{alike}",
        (text("System", lambda curve: curve.point.system), *apart, *_HOLDS, tail, *_COSTS),
        sorted(opened, key=lambda curve: -(curve.holds or 0.0)),
        keys=lambda curve: curve.point.keys,
        notes=notes,
    )


def told(curves: Sequence[Curve]) -> tuple[list[Field[Curve]], str]:
    """Columns of what differs among the curves, and in words what does not."""
    alike, apart = [], list[Field[Curve]]()
    for heading, say in _WHICH.items():
        values = {say(curve) for curve in curves}
        if len(values) > 1:
            apart.append(text(heading, say))
        else:
            alike.append(f"{heading.lower()} {values.pop()}")
    return apart, f" ({', '.join(alike)})" if alike else ""


def metric_cell(step: PooledLoad, metric: str, factor: float = 1.0, note: str = "") -> Cell:
    """A metric of a load times ``factor``; "–" with the load's reason where it has none."""
    found = step.metric(metric)
    if found is None:
        reasons = (load.unavailable.get(metric) for load in step.loads)
        return missing(next(filter(None, reasons), "not measured under this load"))
    return number(found.value, found.interval, factor, note=note)


def _known(curve: Curve) -> bool:
    return power_known(curve.point.tags) and any(step.metric(JOULES) for step in curve.steps)


def _holds(curve: Curve) -> Cell:
    if curve.capacity:
        value, interval = curve.capacity
        loads = sum(len(step.loads) for step in curve.steps)
        return number(value, interval, note=f"From {loads} loads.")
    kept, broken = curve.held_to, curve.broken_from
    if not curve.bound or kept is None:
        return missing(curve.why_none)
    above = f"; not kept at {plain(broken)}" if broken else ""
    return Cell(f"≥ {plain(kept)}", kept, f"Kept at {plain(kept)}{above}. {curve.why_none}")


def _rtfx(curve: Curve) -> Cell:
    point = curve.searched
    return missing(curve.why_none) if point is None else figure(point, RTFX_HELD)


def _near(curve: Curve, share: float) -> tuple[Cost | None, str]:
    """The cost at the load nearest to a share of what it holds, and a note that says which."""
    found = cost(curve, share * curve.holds) if curve.holds else None
    if found is None:
        return None, ""
    return found, f"At {plain(found.load.offered_per_s or 0.0)} requests/s."


def _half_tail(name: str, curve: Curve) -> Cell:
    found, note = _near(curve, 0.5)
    return missing(_NO_LOAD) if found is None else metric_cell(found.load, TAILS[name], note=note)


def _at_full(curve: Curve, metric: str) -> Cell:
    found, note = _near(curve, 1.0)
    return missing(_NO_LOAD) if found is None else metric_cell(found.load, metric, 100.0, note)


def _energy(curve: Curve, share: float) -> Cell:
    found, note = _near(curve, share)
    if found is None:
        return missing(_NO_LOAD)
    if found.joules is None:
        return missing("not measured" if power_known(curve.point.tags) else NOT_MEASURED)
    return number(*found.joules, KILO, note=note)


def _machine(curve: Curve, share: float) -> Cell:
    found, note = _near(curve, share)
    if found is None or found.machine_s is None:
        return missing(_NO_LOAD)
    return number(found.machine_s, None, note=note)


def _limit(curve: Curve) -> Cell:
    first, *others = limits(curve)
    names = ", ".join(dict.fromkeys(limit.name for limit in (first, *others)))
    return words(names, " ".join(limit.said for limit in (first, *others)))


_HOLDS: tuple[Field[Curve], ...] = (
    field("Holds", "requests/s", _holds, "the highest rate that keeps the bound"),
    (
        Column("Limited by", numeric=False, meaning="by the lowest load that broke the bound"),
        _limit,
    ),
    field("RTFx", "at capacity", _rtfx, "seconds of audio a second that this means"),
)
_COSTS: tuple[Field[Curve], ...] = (
    field("WER", "%, under load", lambda c: _at_full(c, LOAD_WER), _WER_MEANING),
    field("WER", "%, alone", lambda c: _at_full(c, "load/wer_unloaded"), _WER_ALONE),
    field("Energy", "kJ/h, at half", lambda c: _energy(c, 0.5), _ENERGY),
    field("Energy", "kJ/h, at full", lambda c: _energy(c, 1.0), _ENERGY),
    field("Machine", "s/h, at half", lambda c: _machine(c, 0.5), _MACHINE),
    field("Machine", "s/h, at full", lambda c: _machine(c, 1.0), _MACHINE),
)
