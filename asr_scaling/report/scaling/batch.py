"""What a larger batch saves, as tables: time and energy per utterance, and the law of a call's
time.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import BADLY, NoFit, prediction
from asr_scaling.analysis.format import percent, plain
from asr_scaling.analysis.laws import JOULES, TIME, BatchLaw
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import batch_cell, figure, length_cell, missing, number, ratio, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Row, Table, Text
from asr_scaling.report.scaling.held_out import capped, held_out_cells

_NO_SINGLE = "batch 1 was not measured: there is nothing to compare with"
_INTRO = (
    "A call on B utterances takes `c` for itself and `m` for each of them: t(B) = c + m · B. So an "
    "utterance takes "
    "m + c / B, and however large the batch, it is at most (c + m) / m times as fast as alone. "
    "Batch sizes are held "
    f"out in turn; more than {percent(BADLY, 2)} off is said to predict badly."
)


def blocks(laws: Sequence[BatchLaw]) -> list[Block]:
    """The law in words and both tables; one sentence where every point has the same batch size."""
    if not laws:
        return [Text("No call was timed, so there is nothing to say of batches.")]
    several = [law for law in laws if len({point.batch for point in law.points}) > 1]
    if not several:
        return [
            Text(
                "Every system was measured at one batch size only, so there is nothing to say of "
                "batches."
            )
        ]
    bad = [_bad(law) for law in several if prediction(law.fit) == "badly"]
    bullets = [Bullets(capped(bad))] if bad else []
    return [Text(_INTRO), *bullets, _law_table(laws), _saving_table(several)]


def _law_table(laws: Sequence[BatchLaw]) -> Table:
    """One row for each system, device and length."""
    columns = (
        Column("system", numeric=False),
        Column("device", numeric=False),
        Column("length", "s"),
        Column("batches", numeric=False),
        Column("c", "ms", meaning="What a call costs, however many utterances it has."),
        Column("m", "ms", meaning="What each utterance adds."),
        Column(
            "limit of speed-up", "×", meaning="(c + m) / m: what an ever larger batch would reach."
        ),
        Column(
            "held-out error, worst",
            "%",
            meaning="The batch size it misjudges most when fitted to the others.",
        ),
        Column("held-out error, mean", "%"),
        Column("predicts", numeric=False),
    )
    caption = "Time of a call against its batch: t(B) = c + m · B."
    return Table(
        "batch-law", caption, columns, tuple(Row(_law_cells(law), _keys(law)) for law in laws)
    )


def _saving_table(laws: Sequence[BatchLaw]) -> Table:
    """One row a point."""
    columns = (
        Column("system", numeric=False),
        Column("device", numeric=False),
        Column("length", "s"),
        Column("batch", meaning="Utterances in a call."),
        Column("time per utterance", "ms"),
        Column("share of batch 1's time", "%"),
        Column("speed-up", "×", meaning="Time per utterance at batch 1 over that at this batch."),
        Column("energy per utterance", "J"),
        Column("share of batch 1's energy", "%"),
        Column("energy is", numeric=False),
    )
    rows = tuple(Row(_saving_cells(law, point), point.keys) for law in laws for point in law.points)
    notes = ("Intervals of ratios combine those of both values, taken as independent.",)
    return Table(
        "batch-saving", "What an utterance costs in a batch, against alone.", columns, rows, notes
    )


def _law_cells(law: BatchLaw) -> tuple[Cell, ...]:
    batches = ", ".join(str(size) for size in sorted({point.batch for point in law.points}))
    head = (words(law.system), words(law.device), length_cell(law.points[0]), words(batches))
    tail = (*held_out_cells(law.fit), words(prediction(law.fit)))
    if isinstance(law.fit, NoFit):
        return (*head, *[missing(law.fit.reason)] * 3, *tail)
    note = (
        ""
        if law.fit.freedom
        else "Two batch sizes: the law goes through both, and no interval can be had."
    )
    c, m = (
        number(k, i, 1e3, note=note)
        for k, i in zip(law.fit.coefficients, law.fit.intervals, strict=True)
    )
    return (*head, c, m, _limit(law), *tail)


def _limit(law: BatchLaw) -> Cell:
    if law.limit is None:
        return missing("a larger batch costs no more at all in this law")
    value, interval = law.limit
    saved = "The law finds no cost of a call: a larger batch saves nothing." if value == 1 else ""
    return number(value, interval, note=saved)


def _saving_cells(law: BatchLaw, point: Point) -> tuple[Cell, ...]:
    single, none = law.single, missing(_NO_SINGLE)
    return (
        words(point.system),
        words(point.device),
        length_cell(point),
        batch_cell(point),
        figure(point, TIME.metric, 1e3),
        none if single is None else ratio(point, single, TIME.metric, 100),
        none if single is None else ratio(single, point, TIME.metric),
        figure(point, JOULES.metric),
        none if single is None else ratio(point, single, JOULES.metric, 100),
        words(point.energy_method),
    )


def _keys(law: BatchLaw) -> dict[str, str]:
    return {"model": law.system, "device": law.device, "length": law.length}


def _bad(law: BatchLaw) -> str:
    line = f"The law of **{law.system}** on {law.device} at {law.length} predicts badly"
    if isinstance(law.fit, NoFit):
        return f"{line}."
    ends = [law.fit.held_out.errors.get(p.batch) for p in (law.points[0], law.points[-1])]
    known = [error for error in ends if error is not None]
    off = f"{line}, off by up to {plain(100 * (law.fit.held_out.worst or 0.0), 2)} %"
    if known and max(known) < 0:
        return (
            f"{off}: large batches cost more than in proportion, "
            "as when they no longer fit the caches."
        )
    if known and min(known) > 0:
        return (
            f"{off}: a call's time grows more slowly than its batch, "
            "as when small batches leave the device idle."
        )
    return f"{off}."
