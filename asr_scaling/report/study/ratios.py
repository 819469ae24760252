"""How much faster: one device against another, a large batch against single utterances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX
from asr_scaling.analysis.format import latency_metric
from asr_scaling.analysis.points import Point
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
from asr_scaling.report.document import Cell, Column, Row, Table
from asr_scaling.report.study import published
from asr_scaling.report.study.lanes import WHO, Lane, Length, kind, lengths, who

_FULL_BATCH = 16
"""The study's largest batch: gains are from 1 to it, or to the largest batch that was measured."""


def devices(found: Sequence[Lane]) -> Table:
    """A row for every processor and accelerator of one host that measured the same system, length and batch."""
    extra = published.columns(found, "×", where=", 60 s at batch 1")
    columns = (
        WHO[0], Column("Devices", numeric=False), Column("Length", "s"), Column("Batch"),
        Column("CPU", "ms"), Column("GPU", "ms"), Column("Speed-up", "×", meaning="CPU's latency over GPU's"), *extra,
    )  # fmt: skip
    rows = []
    for slow, fast in _pairs(found):
        for before, after in _alike(slow, fast):
            metric = latency_metric(before, after)
            gain = ratio(before, after, metric)
            cells = [
                words(slow.system), words(f"{slow.device}, {fast.device}", f"{before.hardware}; {after.hardware}"),
                length_cell(before), batch_cell(before), *(latency(point, metric=metric) for point in (before, after)),
                gain,
            ]  # fmt: skip
            cells += _beside(before, after, gain) if extra else []
            keys = {"model": slow.system, "length": before.length, "batch": str(before.batch)}
            rows.append(Row(tuple(cells), keys))
    return Table(
        "cpu-against-gpu", "CPU against GPU: latency of the same call", columns, tuple(rows)
    )


def _pairs(found: Iterable[Lane]) -> Iterator[tuple[Lane, Lane]]:
    known = list(found)
    for slow in known:
        for fast in known:
            if (
                slow.system == fast.system
                and kind(slow.device) == "cpu"
                and kind(fast.device) == "gpu"
            ):
                yield slow, fast


def _alike(slow: Lane, fast: Lane) -> list[tuple[Point, Point]]:
    """Of every length that both measured on one host, batch 1 and the largest common batch."""
    found = []
    for length in lengths(slow.finished):
        common = sorted(set(slow.batches(length)) & set(fast.batches(length)))
        for batch in dict.fromkeys([*common[:1], *common[-1:]]):
            before, after = slow.cells[length, batch], fast.cells[length, batch]
            if (before.host, before.machine) == (after.host, after.machine):
                found.append((before, after))
    return found


def _beside(before: Point, after: Point, gain: Cell) -> list[Cell]:
    cpu = published.published(published.LATENCY_S, before)
    gpu = published.published(published.LATENCY_S, after)
    if (
        cpu is None
        or gpu is None
        or (before.length_s, before.batch) != (published.LATENCY_LENGTH_S, 1)
    ):
        return [missing("the study's is of 60 s at batch 1")] * 2
    return [
        number(cpu / gpu),
        number(float(gain.sort) / (cpu / gpu)) if gain.sort else missing(gain.note),
    ]


def batching(found: Sequence[Lane]) -> Table:
    """A row for every system, device and length of which a single utterance and a larger batch were measured."""
    extra = any(published.name_of(lane.any) for lane in found)
    columns = (
        *WHO, Column("Length", "s"), Column("Batches", numeric=False), Column("RTFx at batch 1"),
        Column("RTFx at the larger"), Column("Gain", "×"),
        Column("Energy per utterance", "×", meaning="at the larger batch over that at batch 1"),
        *((Column("Study, 1 → 16", "×", numeric=False, meaning=published.SOURCE),) if extra else ()),
    )  # fmt: skip
    rows = []
    for lane in found:
        for length in lengths(lane.finished):
            ends = _ends(lane, length)
            if ends is not None:
                rows.append(_gain(lane, *ends, extra))
    notes = [
        "Gain: RTFx at the larger batch over RTFx at batch 1; the larger is 16, or the largest that was measured."
    ]
    notes += (
        ["The study doesn't say at which length its gains were reached, so no ratio is formed."]
        if extra
        else []
    )
    return Table("batching-gain", "What batching gains", columns, tuple(rows), tuple(notes))


def _ends(lane: Lane, length_s: Length) -> tuple[Point, Point] | None:
    batches = lane.batches(length_s)
    if batches[0] != 1 or len(batches) == 1:
        return None
    largest = _FULL_BATCH if _FULL_BATCH in batches else batches[-1]
    return lane.cells[length_s, 1], lane.cells[length_s, largest]


def _gain(lane: Lane, one: Point, many: Point, extra: bool) -> Row:
    cells = [
        *who(lane),
        length_cell(one),
        words(f"1 → {many.batch}"),
        figure(one, RTFX),
        figure(many, RTFX),
        ratio(many, one, RTFX),
        ratio(many, one, ENERGY),
    ]
    if extra:
        name = published.name_of(one)
        said = published.BATCH_GAIN_OF.get(
            (kind(lane.device), name or ""), published.BATCH_GAIN[kind(lane.device)]
        )
        cells.append(words(said) if name else missing("not in the study"))
    return Row(tuple(cells), {**lane.keys, "length": one.length})
