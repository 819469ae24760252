"""How much memory a batch takes, and which is the largest that fits."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.memory_laws import MemoryLaw
from asr_scaling.report.cells import count, length_cell, missing, number
from asr_scaling.report.document import Block, Cell, Text
from asr_scaling.report.fields import Field, field, field_table, text
from asr_scaling.report.scaling.held_out import coefficient, held_out_fields

_INTRO = (
    "Peak memory of a call on B utterances, with the line memory(B) = base + B · each fitted to "
    "it. On an accelerator it is what was allocated there, else all that a process with only this "
    "system in it holds, libraries and weights included. Records of earlier versions have it above "
    "the idle process: their rows say so."
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
        none = (
            "Memory was not measured in this sweep, so there is nothing to say of memory by batch."
        )
        return [Text(none)]
    caption = "Peak memory against batch size."
    table = field_table("memory-by-batch", caption, _FIELDS, laws, keys=lambda law: law.keys)
    return [Text(_INTRO), table]


def _largest(law: MemoryLaw) -> Cell:
    if law.largest is None:
        return missing("not looked for: batch=max does")
    ended = _ENDED.get(law.limited_by)
    return Cell(f"≥ {law.largest:,}", law.largest, ended) if ended else count(law.largest)


def _fails(law: MemoryLaw) -> Cell:
    if law.fails is None:
        return missing("none failed for want of memory")
    return count(law.fails, "Foretold by smaller batches, not tried." if law.foretold else "")


_NO_PEAK = missing("no peak was measured")
_FIELDS: tuple[Field[MemoryLaw], ...] = (
    text("system", lambda law: law.first.system),
    text("device", lambda law: f"{law.first.device}{law.counted}"),
    field("length", "s", lambda law: length_cell(law.first)),
    field(
        "base",
        "MB",
        lambda law: coefficient(law.fit, 0, 1e-6),
        "What the line says of no utterance at all: weights and what else is held.",
    ),
    field("each utterance", "MB", lambda law: coefficient(law.fit, 1, 1e-6)),
    field(
        "largest batch measured",
        "",
        lambda law: count(law.peaks[-1][0]) if law.peaks else _NO_PEAK,
    ),
    field(
        "its peak",
        "MB",
        lambda law: number(law.peaks[-1][1], None, 1e-6) if law.peaks else _NO_PEAK,
    ),
    field(
        "largest batch that fits",
        "",
        _largest,
        "As batch=max finds it; ≥: until its time or limit was reached.",
    ),
    field("smallest that does not fit", "", _fails, "As tried, or as smaller batches foretell."),
    *held_out_fields("batch size"),
    text(
        "from",
        lambda law: "search for the largest batch" if law.searched else "measured points",
    ),
)
