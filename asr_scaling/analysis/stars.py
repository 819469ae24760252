"""One to five stars for speed, energy and memory, by a rule that anyone can recompute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX
from asr_scaling.analysis.format import memory_metric
from asr_scaling.analysis.points import Point

MOST_STARS = 5
_SLACK = 1e-9
"""So that exactly a factor of two, with its rounding error, costs a star."""


@dataclass(frozen=True)
class StarScale:
    """What is rated."""

    heading: str
    metric: Callable[[Point], str]
    """Which metric of a point counts."""
    higher: bool
    """Whether more of it is better."""

    def cost(self, point: Point) -> float:
        """Less is better; infinite where unknown."""
        value = point.judged(self.metric(point)) or 0.0
        return math.inf if value <= 0 else 1 / value if self.higher else value

    def best(self, points: Iterable[Point]) -> Point:
        """The point of least cost."""
        return min(points, key=self.cost)


SPEED = StarScale("Speed", lambda point: RTFX, higher=True)
ENERGY_USE = StarScale("Energy", lambda point: ENERGY, higher=False)
MEMORY_USE = StarScale("Memory", memory_metric, higher=False)
SCALES = (SPEED, ENERGY_USE, MEMORY_USE)


def star_count(behind: float) -> int:
    """Stars of a cost ``behind`` times (1 or more) the best one.

    5 - floor(log2(behind)), at least 1.
    """
    return max(1, MOST_STARS - math.floor(math.log2(behind) + _SLACK))


def least_costs(kinds: Iterable[Sequence[Point]]) -> dict[int, dict[str, float]]:
    """The id of a point → heading → least cost in its group: the points of one kind of machine."""
    least = {}
    for members in kinds:
        costs = {scale.heading: min(map(scale.cost, members)) for scale in SCALES}
        least.update({id(point): costs for point in members})
    return least
