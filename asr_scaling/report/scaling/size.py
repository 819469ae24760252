"""How cost grows with the size of a model: exponents over FLOPs and parameters."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import NoFit, prediction
from asr_scaling.analysis.format import at_length, percent, plain, with_interval
from asr_scaling.analysis.size_laws import ALL, JOULES, SECONDS, SIZE_BADLY, SizeLaw
from asr_scaling.report.cells import count, length_cell, missing, number
from asr_scaling.report.document import Block, Bullets, Cell, Text
from asr_scaling.report.fields import Field, field, field_table, text
from asr_scaling.report.scaling.held_out import capped, held_out_fields, no_interval

_INTRO = (
    "Across models at batch 1, one device and length at a time: what a second of audio costs "
    "against a model's size, cost = k · size^exponent. An exponent of 1 means that twice the size "
    "costs twice as much; below it, larger models use the device better. Models are held out in "
    "turn, and a law that misses one by more than "
    f"{percent(SIZE_BADLY, 2)} is said to predict badly: neighbouring sizes differ two- to "
    "fourfold."
)


def blocks(laws: Sequence[SizeLaw], length_s: float | None) -> list[Block]:
    """The law in words, what it says at ``length_s``, and the table.

    One sentence where there is a single model.
    """
    if not any(len(law.models) > 1 for law in laws):
        none = "No two models of known size and cost were measured at batch 1 with one length: "
        return [Text(f"{none}there is no law of size.")]
    here = [law for law in laws if law.length_s == length_s and law.family == ALL]
    sentences = [line for law in here if len(law.models) > 1 and (line := _sentence(law))]
    absent = [
        Text(f"The {cost.name} of a second of audio was not measured: it has no law of size.")
        for cost in (SECONDS, JOULES)
        if not any(law.cost is cost for law in laws)
    ]
    random = sorted({p.system for law in laws for p in law.points if p.random})
    note = "Models with random weights count here, for speed doesn't depend on values: "
    table = field_table(
        "size-exponents",
        "Exponents of cost over size, batch 1.",
        _FIELDS,
        laws,
        keys=lambda law: {"device": law.device, "length": law.points[0].length},
        notes=[f"{note}{', '.join(random)}."] if random else (),
    )
    return [Text(_INTRO), *([Bullets(capped(sentences))] if sentences else []), *absent, table]


def _exponent(law: SizeLaw) -> Cell:
    if isinstance(law.fit, NoFit):
        return missing(law.fit.reason)
    note = "" if law.fit.freedom else no_interval("points")
    return number(law.fit.exponent, law.fit.interval, note=note)


_FIELDS: tuple[Field[SizeLaw], ...] = (
    text("device", lambda law: law.device),
    field("length", "s", lambda law: length_cell(law.points[0])),
    text("cost of a second of audio", lambda law: f"{law.cost.name} ({law.cost.unit})"),
    text("against", lambda law: law.measure.name),
    text("family", lambda law: law.family),
    field("models", "", lambda law: count(len(law.models), ", ".join(law.models))),
    field("exponent", "", _exponent, "1: in proportion."),
    *held_out_fields("model", SIZE_BADLY),
)


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
