"""How much faster: one device against another, a large batch against single utterances."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX
from asr_scaling.analysis.format import latency_metric
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.system_grid import SystemColumn, device_kind, device_pairs, lengths
from asr_scaling.report.cells import (
    batch_cell,
    figure,
    latency,
    length_cell,
    missing,
    number,
    ratio,
    words,
)
from asr_scaling.report.document import Cell, Column, Row, Table, word_columns
from asr_scaling.report.study import published
from asr_scaling.report.study.published import WHO, who


def devices(systems: Sequence[SystemColumn]) -> Table:
    """A row for each CPU and GPU of one host that measured the same system, length and batch."""
    extra = published.columns(systems, "×", where=", 60 s at batch 1")
    columns = (
        *word_columns("System", "Devices"), Column("Length", "s"), Column("Batch"),
        Column("CPU", "ms"), Column("GPU", "ms"),
        Column("Speed-up", "×", meaning="CPU's latency over GPU's"), *extra,
    )  # fmt: skip
    rows = []
    for before, after in device_pairs(systems):
        metric = latency_metric(before, after)
        gain = ratio(before, after, metric)
        cells = [
            words(before.system),
            words(f"{before.device}, {after.device}", f"{before.hardware}; {after.hardware}"),
            length_cell(before), batch_cell(before),
            latency(before, metric), latency(after, metric), gain,
        ]  # fmt: skip
        cells += _beside(before, after, gain) if extra else []
        keys = {"model": before.system, "length": before.length, "batch": str(before.batch)}
        rows.append(Row(tuple(cells), keys))
    caption = "CPU against GPU: latency of the same call"
    return Table("cpu-against-gpu", caption, columns, tuple(rows))


def _beside(before: Point, after: Point, gain: Cell) -> list[Cell]:
    cpu, gpu = (published.published(published.LATENCY_S, point) for point in (before, after))
    same = (before.length_s, before.batch) == (published.LATENCY_LENGTH_S, 1)
    if cpu is None or gpu is None or not same:
        return [missing("the study's is of 60 s at batch 1")] * 2
    theirs = cpu / gpu
    return [number(theirs), number(float(gain.sort) / theirs) if gain.sort else missing(gain.note)]


def batching(systems: Sequence[SystemColumn]) -> Table:
    """A row for every system, device and length with a measured batch 1 and a larger one."""
    extra = published.has_any(systems)
    columns = (
        *WHO, Column("Length", "s"), Column("Batches", numeric=False), Column("RTFx at batch 1"),
        Column("RTFx at the larger"), Column("Gain", "×"),
        Column("Energy per utterance", "×", meaning="at the larger batch over that at batch 1"),
        *([Column("Study, 1 → 16", "×", False, published.SOURCE)] if extra else ()),
    )  # fmt: skip
    rows = [
        _gain(column, *ends, extra)
        for column in systems
        for length in lengths(column.finished)
        if (ends := column.batching(length))
    ]
    notes = [
        "Gain: RTFx at the larger batch over RTFx at batch 1; the larger is 16, or the largest "
        "that was measured."
    ]
    unknown = "The study doesn't say at which length its gains were reached, so no ratio is formed."
    notes += [unknown] if extra else []
    return Table("batching-gain", "What batching gains", columns, tuple(rows), tuple(notes))


def _gain(column: SystemColumn, one: Point, many: Point, extra: bool) -> Row:
    cells = [
        *who(column),
        length_cell(one),
        words(f"1 → {many.batch}"),
        figure(one, RTFX),
        figure(many, RTFX),
        ratio(many, one, RTFX),
        ratio(many, one, ENERGY),
    ]
    if extra:
        name, kind = published.name_of(one), device_kind(column.device)
        theirs = published.BATCH_GAIN_OF.get((kind, name), published.BATCH_GAIN[kind])
        cells.append(words(theirs) if name else published.NOT_IN_STUDY)
    return Row(tuple(cells), {**column.keys, "length": one.length})
