"""How much memory a batch takes, and which is the largest that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asr_scaling.analysis.fits import Fit, NoFit, linear_fit
from asr_scaling.analysis.format import memory_metric
from asr_scaling.analysis.laws import ONE_BATCH, by_size, grouped
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import count, length_cell, missing, number, words
from asr_scaling.report.document import Block, Cell, Column, Row, Table, Text
from asr_scaling.report.held_out import held_out_cells, verdict

_SEARCH, _POINTS = "search for the largest batch", "measured points"
_INTRO = (
    "Peak memory of a call on B utterances, with the line memory(B) = base + B · each fitted to it. On an accelerator "
    "it is what was allocated there, else resident memory above the idle process, which includes the weights."
)
_ENDED = {
    "time": "The search ended there: a call on a larger batch would have taken longer than batch.seconds.",
    "limit": "The search ended there: larger batches than batch.limit were not to be tried.",
}
"""What ends a search before memory does, by the tag that says so."""


@dataclass(frozen=True)
class MemoryLaw:
    """``peaks``: batch → peak bytes, ascending. ``largest``: the largest batch found to fit, None when none was looked
    for; ``limited_by``: what ended that search, "memory", "time" or "limit". ``fails``: the smallest that did not fit;
    ``foretold``: by smaller ones, without a call. ``fit``: coefficients base and each, in bytes.
    """

    first: Point
    source: str
    peaks: tuple[tuple[int, float], ...]
    largest: int | None
    limited_by: str
    fails: int | None
    foretold: bool
    fit: Fit | NoFit


def memory_laws(points: Sequence[Point]) -> list[MemoryLaw]:
    """One for each system, device and length that has any peak, smallest model first."""
    found = grouped(by_size(points), lambda p: (p.system, p.device, p.length_s)).values()
    return [law for law in map(_law, found) if law.peaks or law.fails is not None]


def _law(members: Sequence[Point]) -> MemoryLaw:
    """Of the points of one system, device and length; a search for the largest batch goes before single points."""
    searches = [(point, entry) for point in members for entry in point.curve]
    peaks = tuple(
        sorted(_searched([entry for _, entry in searches]) if searches else _measured(members))
    )
    fitting = {int(entry["batch"]): point for point, entry in searches if entry["fits"]}
    failing = {
        int(entry["batch"]): not entry.get("tried", True)
        for _, entry in searches
        if not entry["fits"]
    }
    failing |= {
        p.batch: False for p in members if p.status == "out_of_memory" and p.batch and not p.curve
    }
    largest, fails = max(fitting, default=None), min(failing, default=None)
    return MemoryLaw(
        first=members[0],
        source=_SEARCH if searches else _POINTS,
        peaks=peaks,
        largest=largest,
        limited_by="memory"
        if largest is None
        else fitting[largest].tags.get("batch/limited_by", "memory"),
        fails=fails,
        foretold=fails is not None and failing[fails],
        fit=_fit(peaks),
    )


def _searched(entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    fitting = [entry for entry in entries if entry["fits"] and entry["peak_bytes"]]
    return [(int(entry["batch"]), float(entry["peak_bytes"])) for entry in fitting]


def _measured(points: Sequence[Point]) -> list[tuple[int, float]]:
    found = [(p.batch, p.value(memory_metric(p))) for p in points if p.ok]
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
        return [
            Text(
                "Memory was not measured in this sweep, so there is nothing to say of memory by batch."
            )
        ]
    return [Text(_INTRO), _table(laws)]


def _table(laws: Sequence[MemoryLaw]) -> Table:
    """One row a law."""
    columns = (
        Column("system", numeric=False),
        Column("device", numeric=False),
        Column("length", "s"),
        Column(
            "base",
            "MB",
            meaning="What the line says of no utterance at all: weights and what else is held.",
        ),
        Column("each utterance", "MB"),
        Column("largest batch measured"),
        Column("its peak", "MB"),
        Column(
            "largest batch that fits",
            meaning="As batch=max finds it; ≥: until its time or limit was reached.",
        ),
        Column("smallest that does not fit", meaning="As tried, or as smaller batches foretell."),
        Column(
            "held-out error, worst",
            "%",
            meaning="The batch size it misjudges most when fitted to the others.",
        ),
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
        line = tuple(
            number(c, i, 1e-6) for c, i in zip(law.fit.coefficients, law.fit.intervals, strict=True)
        )
    none = missing("no peak was measured")
    most = (
        (count(law.peaks[-1][0]), number(law.peaks[-1][1], None, 1e-6))
        if law.peaks
        else (none, none)
    )
    tail = (*held_out_cells(law.fit), words(verdict(law.fit)), words(law.source))
    return (*head, *line, *most, _largest(law), _fails(law), *tail)


def _largest(law: MemoryLaw) -> Cell:
    if law.largest is None:
        return missing("not looked for: batch=max does")
    ended = _ENDED.get(law.limited_by)
    return Cell(f"≥ {law.largest:,}", law.largest, ended) if ended else count(law.largest)


def _fails(law: MemoryLaw) -> Cell:
    if law.fails is None:
        return missing("none failed for want of memory")
    return count(law.fails, "Foretold by smaller batches, not tried." if law.foretold else "")
