"""What a larger batch saves: time and energy per utterance, and the law of a call's time."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import BADLY, NoFit, prediction
from asr_scaling.analysis.format import percent, plain
from asr_scaling.analysis.laws import JOULES, TIME, BatchLaw
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import batch_cell, figure, length_cell, missing, number, ratio, words
from asr_scaling.report.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Row,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.fields import Field, field, field_table, text
from asr_scaling.report.scaling.held_out import capped, coefficient, held_out_fields

_INTRO = (
    "A call on B utterances takes `c` for itself and `m` for each of them: t(B) = c + m · B. So an "
    "utterance takes m + c / B, and however large the batch, it is at most (c + m) / m times as "
    "fast as alone. Batch sizes are held out in turn; more than "
    f"{percent(BADLY, 2)} off is said to predict badly."
)


def blocks(laws: Sequence[BatchLaw]) -> list[Block]:
    """The law in words and both tables; one sentence where every point has the same batch size."""
    if not laws:
        return [Text("No call was timed, so there is nothing to say of batches.")]
    several = [law for law in laws if len({point.batch for point in law.points}) > 1]
    if not several:
        none = "Every system was measured at one batch size only, so there is nothing to say of "
        return [Text(f"{none}batches.")]
    bad = [_bad(law) for law in several if prediction(law.fit) == "badly"]
    bullets = [Bullets(capped(bad))] if bad else []
    caption = "Time of a call against its batch: t(B) = c + m · B."
    table = field_table("batch-law", caption, _LAW, laws, keys=_keys)
    return [Text(_INTRO), *bullets, table, _saving_table(several)]


def _limit(law: BatchLaw) -> Cell:
    if isinstance(law.fit, NoFit):
        return missing(law.fit.reason)
    if law.limit is None:
        return missing("a larger batch costs no more at all in this law")
    value, interval = law.limit
    saved = "The law finds no cost of a call: a larger batch saves nothing." if value == 1 else ""
    return number(value, interval, note=saved)


_LAW: tuple[Field[BatchLaw], ...] = (
    text("system", lambda law: law.system),
    text("device", lambda law: law.device),
    field("length", "s", lambda law: length_cell(law.points[0])),
    text("batches", lambda law: ", ".join(map(str, sorted({p.batch for p in law.points})))),
    field(
        "c",
        "ms",
        lambda law: coefficient(law.fit, 0, 1e3, "batch sizes"),
        "What a call costs, however many utterances it has.",
    ),
    field(
        "m",
        "ms",
        lambda law: coefficient(law.fit, 1, 1e3, "batch sizes"),
        "What each utterance adds.",
    ),
    field("limit of speed-up", "×", _limit, "(c + m) / m: what an ever larger batch would reach."),
    *held_out_fields("batch size"),
)


def _saving_table(laws: Sequence[BatchLaw]) -> Table:
    """One row a point."""
    columns = (
        *word_columns("system", "device"),
        Column("length", "s"),
        Column("batch", meaning="Utterances in a call."),
        Column("time per utterance", "ms"),
        Column("share of batch 1's time", "%"),
        Column("speed-up", "×", meaning="Time per utterance at batch 1 over that at this batch."),
        Column("energy per utterance", "J"),
        Column("share of batch 1's energy", "%"),
        *word_columns("energy is"),
    )
    rows = tuple(
        Row(_saving_cells(law.single, point), point.keys) for law in laws for point in law.points
    )
    notes = ("Intervals of ratios combine those of both values, taken as independent.",)
    caption = "What an utterance costs in a batch, against alone."
    return Table("batch-saving", caption, columns, rows, notes)


def _saving_cells(single: Point | None, point: Point) -> tuple[Cell, ...]:
    none = missing("batch 1 was not measured: there is nothing to compare with")
    return (
        words(point.system),
        words(point.device),
        length_cell(point),
        batch_cell(point),
        figure(point, TIME.metric, 1e3),
        ratio(point, single, TIME.metric, 100) if single else none,
        ratio(single, point, TIME.metric) if single else none,
        figure(point, JOULES.metric),
        ratio(point, single, JOULES.metric, 100) if single else none,
        words(point.energy_method),
    )


def _keys(law: BatchLaw) -> dict[str, str]:
    return {"model": law.system, "device": law.device, "length": law.length}


def _bad(law: BatchLaw) -> str:
    line = f"The law of **{law.system}** on {law.device} at {law.length} predicts badly"
    if isinstance(law.fit, NoFit):
        return f"{line}."
    held_out = law.fit.held_out
    ends = [held_out.errors.get(point.batch) for point in (law.points[0], law.points[-1])]
    errors = [error for error in ends if error is not None]
    why = ""
    if errors and max(errors) < 0:
        why = ": large batches cost more than in proportion, as when they no longer fit the caches"
    elif errors and min(errors) > 0:
        why = (
            ": a call's time grows more slowly than its batch, as when small batches leave the "
            "device idle"
        )
    return f"{line}, off by up to {plain(100 * (held_out.worst or 0.0), 2)} %{why}."
