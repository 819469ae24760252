"""The second part of a report: a study's tables for this machine, its figures beside ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from asr_scaling.analysis.caveats import error_rates
from asr_scaling.analysis.comparison.verdict import RTFX
from asr_scaling.analysis.format import PARTLY, latency_metric, plain
from asr_scaling.analysis.points import Point, length_name
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.analysis.system_grid import (
    Length,
    SystemColumn,
    device_kind,
    lengths,
    system_columns,
)
from asr_scaling.report.cells import (
    batch_cell,
    figure,
    latency,
    length_cell,
    missing,
    noted,
    number,
    wer,
    words,
)
from asr_scaling.report.document import Cell, Column, Row, Section, Table, Text, word_columns
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.study import published
from asr_scaling.report.study.flops import decoder_flops, encoder_flops
from asr_scaling.report.study.published import WHO, who
from asr_scaling.report.study.ratios import batching, devices
from asr_scaling.report.study.stars import stars

_PER_SAMPLE_J = "energy/per_sample_j"
_SAMPLES = "throughput/samples_per_s"
_WIDEST = 8
"""Lengths that a table shows side by side at most."""


def section(points: Sequence[Point], style: Style) -> Section:
    """Latency, energy, throughput, WER, devices, batching, FLOPs and stars: a table each."""
    columns = [c for c in system_columns(points, style.systems) if c.finished]
    tables = [show(columns) for show in _TABLES] if columns else []
    tables += [stars(columns, reference_length(points))] if columns else []
    none = "No point was measured to its end, so there are none."
    opening = Text(_opening(points) if columns else none)
    rest = (table for table in tables if table.rows)
    return Section("tables", "The study's tables", (opening, *rest))


def _opening(points: Iterable[Point]) -> str:
    models = {point.model for point in points if published.name_of(point)}
    if not models:
        return "None of the models measured here are in the study, so its figures are left out."
    english = f" {published.ENGLISH}" if any(name.endswith("_en") for name in models) else ""
    return (
        f"“Study” is {published.SOURCE}. Its figure stands beside ours where the cell is the same: "
        "model, length, batch and kind of device; the hardware is another, so the ratio tells "
        f"mostly how the two machines differ.{english}"
    )


def _latency(systems: Sequence[SystemColumn]) -> Table:
    single = [column for column in systems if any(p.batch == 1 for p in column.finished)]
    shown = _few(lengths(p for column in single for p in column.finished if p.batch == 1))
    extra = published.columns(systems, "ms", where=", 60 s")
    rows = []
    for column in single:
        cells = [*who(column), *(_cell(column, length, 1, latency) for length in shown)]
        if extra:
            point = column.cells.get((published.LATENCY_LENGTH_S, 1))
            theirs = published.published(published.LATENCY_S, column.any)
            cells += published.beside(point, latency_metric(point) if point else "", theirs, 1e3)
        rows.append(Row(tuple(cells), {**column.keys, "batch": "1"}))
    columns = (*WHO, *(Column(length_name(length), "ms") for length in shown), *extra)
    caption, notes = "Latency of a call at batch 1, by length (median)", (published.TRUNCATED,)
    return Table("latency-batch-1", caption, columns, tuple(rows), notes if extra else ())


def _energy(systems: Sequence[SystemColumn]) -> Table:
    extra = published.columns(systems, "J")
    columns = (
        *WHO, Column("Length", "s"), Column("Batch"), Column("Energy", "J per utterance"),
        Column("Range", "J per utterance", False, "over all lengths and batches measured"),
        *word_columns("By"), *extra, *([Column("Study's range", "J", False)] if extra else ()),
    )  # fmt: skip
    rows = []
    for column in systems:
        measured = [point for point in column.finished if _PER_SAMPLE_J in point.values]
        if not measured:
            continue
        point = column.cells.get(published.ENERGY_CELL)
        if point is None or not any(point is other for other in measured):
            point = max(measured, key=lambda p: (p.length_s or 0.0, p.batch))
        values = [p.values[_PER_SAMPLE_J] for p in measured]
        cells = [
            *who(column), length_cell(point), batch_cell(point), figure(point, _PER_SAMPLE_J),
            words(f"{plain(min(values))}–{plain(max(values))}"), words(point.energy_method),
        ]  # fmt: skip
        if extra:
            theirs = published.published(published.ENERGY_J, point)
            same = (point.length_s, point.batch) == published.ENERGY_CELL
            why = "60 s at batch 16 was not measured"
            cells += published.beside(point if same else None, _PER_SAMPLE_J, theirs, 1.0, why)
            ranges = published.ENERGY_RANGE_J[device_kind(column.device)]
            ends = ranges.get(published.name_of(point))
            cells.append(words("{:g}–{:g}".format(*ends)) if ends else published.NOT_IN_STUDY)
        rows.append(Row(tuple(cells), point.keys))
    notes = (published.TRUNCATED, published.UNSTEADY_ENERGY) if extra else ()
    caption = (
        "Energy per utterance at 60 s and batch 16, or at the longest length and largest batch"
    )
    return Table("energy-per-utterance", caption, columns, tuple(rows), notes)


def _throughput(systems: Sequence[SystemColumn]) -> Table:
    extra = published.columns(systems, "utterances/s")
    columns = (
        *WHO, Column("Most utterances", "1/s"), Column("at", numeric=False), Column("Highest RTFx"),
        Column("at", numeric=False), *extra,
    )  # fmt: skip
    rows = []
    for column in systems:
        timed = [p for p in column.finished if _SAMPLES in p.values and RTFX in p.values]
        if not timed:
            continue
        most = max(timed, key=lambda point: point.judged(_SAMPLES) or 0.0)
        fastest = max(timed, key=lambda point: point.judged(RTFX) or 0.0)
        cells = [
            *who(column), _speed(most, _SAMPLES), words(_at(most)), _speed(fastest, RTFX),
            words(_at(fastest)),
        ]  # fmt: skip
        if extra:
            theirs = published.published(published.SAMPLES_PER_S, most)
            alike = published.THROUGHPUT_CELL in {(point.length_s, point.batch) for point in timed}
            why = "5 s at batch 16 was not measured"
            cells += published.beside(most if alike else None, _SAMPLES, theirs, 1.0, why)
        rows.append(Row(tuple(cells), column.keys))
    caption, notes = "Maximum throughput over all lengths and batches", (published.ODD_THROUGHPUT,)
    return Table("throughput", caption, columns, tuple(rows), notes if extra else ())


def _wer(systems: Sequence[SystemColumn]) -> Table:
    shown = _few(lengths(point for column in systems for point in column.finished))
    extra = published.has_any(systems)
    rows = []
    for column in systems:
        smallest = {length: min(column.batches(length), default=1) for length in shown}
        cells = [*who(column), *(_cell(column, length, smallest[length], wer) for length in shown)]
        if extra:
            theirs = published.WER.get(published.name_of(column.any))
            none = published.NOT_IN_STUDY
            cells.append(number(theirs, factor=100, digits=2) if theirs else none)
        rows.append(Row(tuple(cells), column.keys))
    columns = (*WHO, *(Column(length_name(length), "%") for length in shown))
    if extra:
        columns = (*columns, Column("Study, other speech", "%", meaning=published.SOURCE))
    notes = ["WER at the smallest batch; – for random weights, which have none."]
    notes += error_rates(point for column in systems for point in column.finished)
    notes += [published.CUT_REFERENCES] if extra else []
    return Table("wer-by-length", "Word error rate by length", columns, tuple(rows), tuple(notes))


def _speed(point: Point, metric: str) -> Cell:
    return noted(figure(point, metric), PARTLY if point.truncated else "")


def _cell(
    column: SystemColumn, length_s: Length, batch: int, show: Callable[[Point], Cell]
) -> Cell:
    point = column.cells.get((length_s, batch))
    return missing(published.NOT_MEASURED) if point is None else show(point)


def _at(point: Point) -> str:
    return f"batch {point.batch}, {point.length}"


def _few(systems: Sequence[Length]) -> list[Length]:
    """At most ``_WIDEST``, the first and the last among them, spread evenly."""
    if len(systems) <= _WIDEST:
        return list(systems)
    return [systems[round(i * (len(systems) - 1) / (_WIDEST - 1))] for i in range(_WIDEST)]


_TABLES = (
    _latency,
    _energy,
    _throughput,
    _wer,
    devices,
    batching,
    encoder_flops,
    decoder_flops,
)
