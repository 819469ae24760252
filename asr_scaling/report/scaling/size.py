"""How cost grows with the size of a model: exponents over FLOPs and parameters, one device and length at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.fits import NoFit, Power, power_fit
from asr_scaling.analysis.format import at_length, inverse, percent, plain, with_interval
from asr_scaling.analysis.laws import by_size, grouped
from asr_scaling.analysis.points import Point, length_order
from asr_scaling.core.statistics import Interval
from asr_scaling.report.cells import count, length_cell, missing, number, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Row, Table, Text
from asr_scaling.report.held_out import capped, held_out_cells, verdict

_HALF = 0.5
"""A law of size whose worst held-out error exceeds this predicts badly: neighbouring sizes of a family differ two- to
fourfold, so it could not tell them apart."""
_FEWEST = 3
"""Models of a family that get a law of their own: two say nothing of how well it holds."""
ALL = "all"


@dataclass(frozen=True)
class Cost:
    """Cost of a second of audio, in ``unit``."""

    name: str
    unit: str

    def of(self, point: Point) -> float | None:
        """The cost at a point, None where it is not known."""
        if self is SECONDS:
            speed = point.value("throughput/rtfx")
            return 1 / speed if speed else None
        return point.value("energy/per_audio_second_j")

    def interval(self, point: Point) -> Interval | None:
        """Where the cost lies with 95 %."""
        if self is JOULES:
            return point.intervals.get("energy/per_audio_second_j")
        return inverse(point.intervals.get("throughput/rtfx"))


@dataclass(frozen=True)
class Measure:
    """A model's size: ``factor`` makes ``unit`` of its number."""

    name: str
    unit: str
    factor: float

    def of(self, point: Point) -> float | None:
        """The size at a point, None where it is not known."""
        return point.value("flops/utterance") if self is FLOPS else point.parameters


SECONDS, JOULES = Cost("time", "s"), Cost("energy", "J")
FLOPS, PARAMETERS = (
    Measure("FLOPs per utterance", "GFLOP", 1e-9),
    Measure("parameters", "million", 1e-6),
)
_INTRO = (
    "Across models at batch 1, one device and length at a time: what a second of audio costs against a model's size, "
    "cost = k · size^exponent. An exponent of 1 means that twice the size costs twice as much; below it, larger models "
    "use the device better. Models are held out in turn, and a law that misses one by more than "
    f"{percent(_HALF, 2)} is said to predict badly: neighbouring sizes differ two- to fourfold."
)


@dataclass(frozen=True)
class SizeLaw:
    """``family``: whose models, or "all". ``points``: batch 1, each with cost and size."""

    device: str
    length_s: float | None
    cost: Cost
    measure: Measure
    family: str
    points: tuple[Point, ...]
    fit: Power | NoFit

    @property
    def models(self) -> list[str]:
        """Their names, each once."""
        return list(dict.fromkeys(point.model for point in self.points))


def size_laws(points: Sequence[Point]) -> list[SizeLaw]:
    """For each device and length at batch 1: both costs over both measures, all models and each family of three."""
    single = by_size(point for point in points if point.ok and point.batch == 1)
    laws = []
    for (device, length_s), members in grouped(single, lambda p: (p.device, p.length_s)).items():
        for cost in (SECONDS, JOULES):
            for measure in (FLOPS, PARAMETERS):
                usable = [p for p in members if cost.of(p) and measure.of(p)]
                for family, some in _families(usable):
                    laws.append(
                        SizeLaw(
                            device,
                            length_s,
                            cost,
                            measure,
                            family,
                            tuple(some),
                            _fit(some, cost, measure),
                        )
                    )
    return sorted(laws, key=lambda law: (law.device, length_order(law.length_s)))


def _families(points: Sequence[Point]) -> Iterator[tuple[str, list[Point]]]:
    if points:
        yield ALL, list(points)
    families = grouped(points, lambda p: p.family)
    for family, members in families.items():
        if family and len(families) > 1 and len({p.model for p in members}) >= _FEWEST:
            yield family, members


def _fit(points: Sequence[Point], cost: Cost, measure: Measure) -> Power | NoFit:
    models = [point.model for point in points]
    if len(set(models)) < 2:
        return NoFit("one model was measured: a law needs two, a check of it three")
    fit = power_fit(
        [measure.of(p) or 0.0 for p in points], [cost.of(p) or 0.0 for p in points], models
    )
    return NoFit(f"these models don't differ in {measure.name}") if isinstance(fit, NoFit) else fit


def blocks(laws: Sequence[SizeLaw], length_s: float | None) -> list[Block]:
    """The law in words, what it says at ``length_s``, and the table; one sentence where there is a single model."""
    if not any(len(law.models) > 1 for law in laws):
        none = "No two models of known size and cost were measured at batch 1 with one length: there is no law of size."
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
        f"Models with random weights count here, for speed doesn't depend on values: {', '.join(random)}.",
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
    tail = (*held_out_cells(law.fit), words(verdict(law.fit, _HALF)))
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
    return f"{where} {trend} {exponent}{checked.get(verdict(fit, _HALF), '')}."
