"""How cost grows with the size of a model: exponents over FLOPs and parameters, one device and
length at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import NoFit, prediction
from asr_scaling.analysis.format import at_length, percent, plain, with_interval
from asr_scaling.analysis.size_laws import ALL, JOULES, SECONDS, SIZE_BADLY, SizeLaw
from asr_scaling.report.cells import count, length_cell, missing, number, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Row, Table, Text
from asr_scaling.report.scaling.held_out import capped, held_out_cells

_INTRO = (
    "Across models at batch 1, one device and length at a time: what a second of audio costs "
    "against a model's size, "
    "cost = k · size^exponent. An exponent of 1 means that twice the size costs twice as much; "
    "below it, larger models "
    "use the device better. Models are held out in turn, and a law that misses one by more than "
    f"{percent(SIZE_BADLY, 2)} is said to predict badly: neighbouring sizes differ two- to "
    "fourfold."
)


def blocks(laws: Sequence[SizeLaw], length_s: float | None) -> list[Block]:
    """The law in words, what it says at ``length_s``, and the table; one sentence where there is a
    single model.
    """
    if not any(len(law.models) > 1 for law in laws):
        none = (
            "No two models of known size and cost were measured at batch 1 with one length: "
            "there is no law of size."
        )
        return [Text(none)]
    said = [
        line
        for law in laws
        if law.length_s == length_s
        and law.family == ALL
        and len(law.models) > 1
        and (line := _sentence(law))
    ]
    random = sorted({p.system for law in laws for p in law.points if p.random})
    lacking = [cost.name for cost in (SECONDS, JOULES) if not any(law.cost is cost for law in laws)]
    absent = [
        Text(f"The {name} of a second of audio was not measured: it has no law of size.")
        for name in lacking
    ]
    notes = (
        "Models with random weights count here, for speed doesn't depend on values: "
        f"{', '.join(random)}.",
    )
    return [
        Text(_INTRO),
        *([Bullets(capped(said))] if said else []),
        *absent,
        _table(laws, notes if random else ()),
    ]


def _table(laws: Sequence[SizeLaw], notes: tuple[str, ...] = ()) -> Table:
    """One row a law."""
    columns = (
        Column("device", numeric=False),
        Column("length", "s"),
        Column("cost of a second of audio", numeric=False),
        Column("against", numeric=False),
        Column("family", numeric=False),
        Column("models"),
        Column("exponent", meaning="1: in proportion."),
        Column(
            "held-out error, worst",
            "%",
            meaning="The model it misjudges most when fitted to the others.",
        ),
        Column("held-out error, mean", "%"),
        Column("predicts", numeric=False),
    )
    rows = tuple(
        Row(_cells(law), {"device": law.device, "length": law.points[0].length}) for law in laws
    )
    return Table("size-exponents", "Exponents of cost over size, batch 1.", columns, rows, notes)


def _cells(law: SizeLaw) -> tuple[Cell, ...]:
    name = f"{law.cost.name} ({law.cost.unit})"
    models = count(len(law.models), ", ".join(law.models))
    head = (
        words(law.device),
        length_cell(law.points[0]),
        words(name),
        words(law.measure.name),
        words(law.family),
    )
    tail = (*held_out_cells(law.fit), words(prediction(law.fit, SIZE_BADLY)))
    if isinstance(law.fit, NoFit):
        return (*head, models, missing(law.fit.reason), *tail)
    note = (
        ""
        if law.fit.freedom
        else "Two points: the law goes through both, and no interval can be had."
    )
    return (*head, models, number(law.fit.exponent, law.fit.interval, note=note), *tail)


def _sentence(law: SizeLaw) -> str:
    fit = law.fit
    if isinstance(fit, NoFit):
        return ""
    where = f"On {law.device} {at_length(law.length_s)}, the {law.cost.name} of a second of audio"
    trend = f"{'falls' if fit.exponent < 0 else 'grows'} as {law.measure.name} to the power"
    if fit.interval is None:
        return f"{where} {trend} {plain(fit.exponent, 2)}; two points, unchecked."
    exponent = with_interval(fit.exponent, fit.interval, digits=2)
    if fit.interval.low <= 0 <= fit.interval.high:
        return f"{where} shows no clear dependence on {law.measure.name} (exponent {exponent})."
    worst = percent(fit.held_out.worst or 0.0, 2)
    checked = {
        "well": f"; models held out are met within {worst}",
        "badly": f", a law that predicts badly: models held out are missed by up to {worst}",
    }
    return f"{where} {trend} {exponent}{checked.get(prediction(fit, SIZE_BADLY), '')}."
