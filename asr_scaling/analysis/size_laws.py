"""Laws of cost over the size of a model: one device and length at a time, at batch 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX
from asr_scaling.analysis.fits import NoFit, Power, power_fit
from asr_scaling.analysis.format import inverse
from asr_scaling.analysis.laws import by_size
from asr_scaling.analysis.points import Point, length_order
from asr_scaling.analysis.speech_names import of_one_speech
from asr_scaling.core.statistics import Interval
from asr_scaling.util.groups import grouped

SIZE_BADLY = 0.5
"""Worst held-out error, as a share, above which a law of size predicts badly.

Neighbouring sizes of a family differ two- to fourfold: such a law could not tell them apart.
"""
FEWEST_MODELS = 3
"""Models that a family needs for a law of its own: two do not show how well it holds."""
ALL = "all"
"""The family of a law over all models."""


@dataclass(frozen=True)
class Cost:
    """What a second of audio costs, in ``unit``."""

    name: str
    unit: str
    of: Callable[[Point], float | None]
    """The cost at a point; None where it is not known."""
    interval: Callable[[Point], Interval | None]
    """Of 95 %."""


@dataclass(frozen=True)
class Measure:
    """A measure of a model's size; its number times ``factor`` is in ``unit``."""

    name: str
    unit: str
    factor: float
    of: Callable[[Point], float | None]
    """The size at a point; None where it is not known."""


SECONDS = Cost(
    "time",
    "s",
    lambda point: 1 / rtfx if (rtfx := point.judged(RTFX)) else None,
    lambda point: inverse((point.stated(RTFX) or (0.0, None))[1]),
)
JOULES = Cost("energy", "J", lambda p: p.judged(ENERGY), lambda p: p.intervals.get(ENERGY))
FLOPS = Measure("FLOPs per utterance", "GFLOP", 1e-9, lambda p: p.value("flops/utterance"))
PARAMETERS = Measure("parameters", "million", 1e-6, lambda p: p.parameters)


@dataclass(frozen=True)
class SizeLaw:
    """Cost of a second of audio over the size of a model: a power law."""

    device: str
    length_s: float | None
    cost: Cost
    measure: Measure
    family: str
    """Whose models, or ``ALL``."""
    points: tuple[Point, ...]
    """Of batch 1, each with cost and size."""
    fit: Power | NoFit

    @property
    def models(self) -> list[str]:
        """Their names, each once."""
        return list(dict.fromkeys(point.model for point in self.points))


def size_laws(points: Sequence[Point]) -> list[SizeLaw]:
    """Laws at batch 1 for each device and length: both costs over both measures of size.

    Each over all models, and over each family of at least ``FEWEST_MODELS``.
    """
    single = by_size(point for point in points if point.ok and point.batch == 1)
    laws = [
        SizeLaw(device, length_s, cost, measure, family, tuple(some), _fit(some, cost, measure))
        for (device, length_s), members in grouped(single, lambda p: (p.device, p.length_s)).items()
        for cost in (SECONDS, JOULES)
        for measure in (FLOPS, PARAMETERS)
        for family, some in _families(_usable(members, cost, measure))
    ]
    return sorted(laws, key=lambda law: (law.device, length_order(law.length_s)))


def _usable(points: Sequence[Point], cost: Cost, measure: Measure) -> list[Point]:
    """Those with both figures, of one speech: a law of two would be of neither."""
    return of_one_speech(p for p in points if cost.of(p) and measure.of(p))


def _families(points: Sequence[Point]) -> Iterator[tuple[str, list[Point]]]:
    if points:
        yield ALL, list(points)
    families = grouped(points, lambda p: p.family)
    for family, members in families.items() if len(families) > 1 else ():
        if family and len({p.model for p in members}) >= FEWEST_MODELS:
            yield family, members


def _fit(points: Sequence[Point], cost: Cost, measure: Measure) -> Power | NoFit:
    models = [point.model for point in points]
    if len(set(models)) < 2:
        return NoFit("one model was measured: a law needs two, a check of it three")
    sizes = [measure.of(p) or 0.0 for p in points]
    fit = power_fit(sizes, [cost.of(p) or 0.0 for p in points], models)
    alike = NoFit(f"these models don't differ in {measure.name}")
    return alike if isinstance(fit, NoFit) else fit
