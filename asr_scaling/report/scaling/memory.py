"""How much memory a batch takes, and which is the largest that fits."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import NoFit, prediction
from asr_scaling.analysis.memory_laws import MemoryLaw
from asr_scaling.report.cells import count, length_cell, missing, number, words
from asr_scaling.report.document import Block, Cell, Column, Row, Table, Text
from asr_scaling.report.scaling.held_out import held_out_cells

_INTRO = (
    "Peak memory of a call on B utterances, with the line memory(B) = base + B · each fitted to "
    "it. On an accelerator "
    "it is what was allocated there, else resident memory above the idle process, which includes "
    "the weights."
)
_ENDED = {
    "time": "The search ended there: a call on a larger batch would have taken longer than "
    "batch.seconds.",
    "limit": "The search ended there: larger batches than batch.limit were not to be tried.",
}
"""What ends a search before memory does, by the tag that says so."""


def blocks(laws: Sequence[MemoryLaw]) -> list[Block]:
    """The line in words and the table; a sentence where no memory was measured."""
    if not laws:
        return [
            Text(
                "Memory was not measured in this sweep, so there is nothing to say of memory by "
                "batch."
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
    rows = tuple(Row(_cells(law), law.keys) for law in laws)
    return Table("memory-by-batch", "Peak memory against batch size.", columns, rows)


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
    source = "search for the largest batch" if law.searched else "measured points"
    tail = (*held_out_cells(law.fit), words(prediction(law.fit)), words(source))
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
