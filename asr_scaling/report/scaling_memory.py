"""How much memory a batch takes, and which is the largest that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.fits import Fit, NoFit, linear_fit
from asr_scaling.report.cells import missing, number, words
from asr_scaling.report.document import Block, Cell, Column, Row, Table, Text
from asr_scaling.report.laws import ONE_BATCH, by_size, grouped
from asr_scaling.report.points import Point
from asr_scaling.report.scaling_batch import length_cell
from asr_scaling.report.scaling_length import count, held_out_cells, verdict

DEVICE, HOST = "memory/peak_device_bytes", "memory/peak_rss_bytes"
SEARCH, POINTS = "search for the largest batch", "measured points"
INTRO = (
    "Peak memory of a call on B utterances, with the line memory(B) = base + B · each fitted to it. On an accelerator "
    "it is what was allocated there, else resident memory above the idle process, which includes the weights."
)


@dataclass(frozen=True)
class MemoryLaw:
    """``peaks``: batch → peak bytes, ascending. ``largest``: the largest batch found to fit, None when none was looked
    for; ``fails``: the smallest that did not fit. ``fit``: coefficients base and each, in bytes.
    """

    first: Point
    source: str
    peaks: tuple[tuple[int, float], ...]
    largest: int | None
    fails: int | None
    fit: Fit | NoFit


def memory_laws(points: Sequence[Point]) -> list[MemoryLaw]:
    """One for each system, device and length that has any peak, smallest model first."""
    laws = []
    for members in grouped(by_size(points), lambda p: (p.system, p.device, p.length_s)).values():
        searched = [entry for point in members for entry in point.curve]
        source = SEARCH if searched else POINTS
        pairs = _searched(members) if searched else _measured(members)
        peaks = tuple(sorted(pairs))
        fitting = [int(entry["batch"]) for entry in searched if entry["fits"]]
        failing = [int(entry["batch"]) for entry in searched if not entry["fits"]]
        failing += [p.batch for p in members if p.status == "out_of_memory" and p.batch and not p.curve]
        if peaks or failing:
            largest = max(fitting, default=None)
            laws.append(MemoryLaw(members[0], source, peaks, largest, min(failing, default=None), _fit(peaks)))
    return laws


def _searched(points: Sequence[Point]) -> list[tuple[int, float]]:
    entries = [entry for point in points for entry in point.curve if entry["fits"] and entry["peak_bytes"]]
    return [(int(entry["batch"]), float(entry["peak_bytes"])) for entry in entries]


def _measured(points: Sequence[Point]) -> list[tuple[int, float]]:
    found = [(p.batch, p.value(DEVICE) or p.value(HOST)) for p in points if p.ok]
    return [(batch, peak) for batch, peak in found if peak]


def _fit(peaks: Sequence[tuple[int, float]]) -> Fit | NoFit:
    sizes = [batch for batch, _ in peaks]
    if not sizes:
        return NoFit("no peak was measured")
    if len(set(sizes)) < 2:
        return NoFit(ONE_BATCH)
    return linear_fit([[1.0] * len(sizes), sizes], [peak for _, peak in peaks], sizes)


def blocks(laws: Sequence[MemoryLaw]) -> list[Block]:
    """The line in words and the table; a sentence where no memory was measured."""
    if not laws:
        return [Text("Memory was not measured in this sweep, so there is nothing to say of memory by batch.")]
    return [Text(INTRO), table(laws)]


def table(laws: Sequence[MemoryLaw]) -> Table:
    """One row a law."""
    columns = (
        Column("system", numeric=False),
        Column("device", numeric=False),
        Column("length", "s"),
        Column("base", "MB", meaning="What the line says of no utterance at all: weights and what else is held."),
        Column("each utterance", "MB"),
        Column("largest batch measured"),
        Column("its peak", "MB"),
        Column("largest batch that fits", meaning="Where a sweep with batch=max looked for it."),
        Column("smallest that does not fit"),
        Column("held-out error, worst", "%", meaning="The batch size it misjudges most when fitted to the others."),
        Column("held-out error, mean", "%"),
        Column("predicts", numeric=False),
        Column("from", numeric=False),
    )
    rows = tuple(Row(_cells(law), keys(law)) for law in laws)
    return Table("memory-by-batch", "Peak memory against batch size.", columns, rows)


def keys(law: MemoryLaw) -> dict[str, str]:
    """What a law is about, for the page's filter."""
    return {"model": law.first.system, "device": law.first.device, "length": law.first.length}


def _cells(law: MemoryLaw) -> tuple[Cell, ...]:
    head = (words(law.first.system), words(law.first.device), length_cell(law.first))
    if isinstance(law.fit, NoFit):
        line: tuple[Cell, ...] = (missing(law.fit.reason), missing(law.fit.reason))
    else:
        line = tuple(number(c, i, 1e-6) for c, i in zip(law.fit.coefficients, law.fit.intervals, strict=True))
    none = missing("no peak was measured")
    most = (count(law.peaks[-1][0]), number(law.peaks[-1][1], None, 1e-6)) if law.peaks else (none, none)
    largest = missing("not looked for: batch=max does") if law.largest is None else count(law.largest)
    fails = missing("none failed for want of memory") if law.fails is None else count(law.fails)
    tail = (*held_out_cells(law.fit), words(verdict(law.fit)), words(law.source))
    return (*head, *line, *most, largest, fails, *tail)
