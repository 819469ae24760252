"""Tables of loads: a row a rate, and a row a number of clients that wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asr_scaling.analysis.capacity.curves import JOULES, LOAD_WER, P50, P99, TAILS, Curve
from asr_scaling.analysis.format import percent
from asr_scaling.core.energy_methods import NOT_MEASURED, power_known
from asr_scaling.core.load_metrics import LOST_SHARES
from asr_scaling.core.pooled_loads import PooledLoad
from asr_scaling.report.capacity.capacity_table import KILO, metric_cell, told
from asr_scaling.report.cells import count, missing, number, words
from asr_scaling.report.document import Cell, Column, Row, Table, word_columns
from asr_scaling.report.fields import Field

_OF_A_LOAD: tuple[tuple[str, str, str, float, str], ...] = (
    ("Served", "1/s", "load/served_per_s", 1.0, "requests a second that got a text"),
    ("p50", "s", P50, 1.0, "median time from when a request was due to its text"),
    ("p95", "s", TAILS["p95"], 1.0, "95th percentile of the same time"),
    ("p99", "s", P99, 1.0, "99th percentile of the same time"),
    ("Wait, p99", "s", "load/queue_wait_p99_s", 1.0, "until the call that answered it began"),
    ("Together", "", "load/batch_mean", 1.0, "requests in the call that answered one, mean"),
    ("RTFx", "", "load/rtfx", 1.0, "seconds of audio answered a second"),
    ("Cores", "%", "load/cpu_share", 100.0, "of their time, used by any process"),
    ("WER", "%", LOAD_WER, 100.0, "of the texts under this load"),
    ("Other texts", "%", "load/changed_share", 100.0, "than the same utterance got alone"),
    ("Generator late", "ms", "load/generator_late_p99_s", 1e3, "99th percentile"),
)
"""Heading, unit, metric, factor and meaning of the columns of a load."""


def loads_table(curves: Sequence[Curve]) -> Table:
    """A row for each rate at which requests arrived by a schedule."""
    opened = [curve for curve in curves if not curve.closed]
    apart, alike = told(opened)
    due = Column("Due", "1/s", meaning="requests a second of the schedule")
    columns = _columns(apart, due, *word_columns("Verdict"))
    rows = _rows(opened, apart, lambda step: (number(step.offered_per_s or 0.0), _verdict(step)))
    notes = (
        "Latency counts from when a request was due, whatever kept it from being sent or taken. "
        "Repeated loads of a rate are one row: means by their requests, a percentile the mean of "
        "theirs; intervals are widened where they differ by more than these explain.",
    )
    return Table("loads", f"Every load{alike}", columns, rows, notes)


def closed_table(curves: Sequence[Curve]) -> Table | None:
    """A row for each number of clients that wait for their answers; None where there is none."""
    closed = [curve for curve in curves if curve.closed]
    if not closed:
        return None
    apart, alike = told(closed)
    columns = _columns(apart, Column("Clients", meaning="each sends when it has its last answer"))
    rows = _rows(closed, apart, lambda step: (count(step.clients or 0),))
    note = (
        "Closed loop: a client that waits sends nothing, so that a slow moment is met by few "
        "requests and hardly shows in p99. These figures compare with others' ladders of clients, "
        "and with no other table here."
    )
    return Table(
        "closed-loads", f"Clients that wait for their answers{alike}", columns, rows, (note,)
    )


def _columns(apart: Sequence[Field[Curve]], *which: Column) -> tuple[Column, ...]:
    """``which``: what tells the loads of a system apart."""
    figures = [Column(heading, unit, meaning=said) for heading, unit, _, _, said in _OF_A_LOAD]
    system = (*word_columns("System"), *(column for column, _ in apart))
    counted = Column("Requests", meaning="counted, without the start")
    lost = Column("Lost", "%", meaning="failed, turned away or not answered in time")
    return (*system, *which, counted, *figures, lost, _ENERGY)


def _rows(
    curves: Sequence[Curve],
    apart: Sequence[Field[Curve]],
    which: Callable[[PooledLoad], tuple[Cell, ...]],
) -> tuple[Row, ...]:
    """One for each load; ``which``: the cells that tell it from others of its system."""
    return tuple(
        Row((*_identity(curve, apart), *which(step), *_cells(curve, step)), curve.point.keys)
        for curve in curves
        for step in curve.steps
    )


_ENERGY = Column("Energy", "kJ/h", meaning="for an hour of answered audio, idle moments included")


def _cells(curve: Curve, step: PooledLoad) -> tuple[Cell, ...]:
    cells = [metric_cell(step, metric, factor) for _, _, metric, factor, _ in _OF_A_LOAD]
    return (count(step.counted), *cells, _lost(step), _joules(curve, step))


def _identity(curve: Curve, apart: Sequence[Field[Curve]]) -> tuple[Cell, ...]:
    return words(curve.point.system), *(show(curve) for _, show in apart)


def _verdict(step: PooledLoad) -> Cell:
    why = " ".join(dict.fromkeys(load.why for load in step.loads if load.why))
    return words(step.verdict, why)


def _lost(step: PooledLoad) -> Cell:
    shares = {name: step.value(name) for name in LOST_SHARES}
    known = {name: share for name, share in shares.items() if share is not None}
    if not known:
        return missing("not measured under this load")
    parts = ", ".join(f"{percent(share)} {_word(name)}" for name, share in known.items() if share)
    return number(sum(known.values()), None, 100.0, note=parts)


def _word(metric: str) -> str:
    return metric.removeprefix("load/").removesuffix("_share").replace("_", " ")


def _joules(curve: Curve, step: PooledLoad) -> Cell:
    return (
        metric_cell(step, JOULES, KILO) if power_known(curve.point.tags) else missing(NOT_MEASURED)
    )
