"""One to five stars for speed, energy and memory, by a rule that anyone can recompute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.caveats import kinds_of
from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX
from asr_scaling.analysis.format import memory_metric, plain, size, speech, why_missing
from asr_scaling.analysis.points import Point, length_name
from asr_scaling.report.cells import missing, wer
from asr_scaling.report.document import Cell, Column, Row, Table
from asr_scaling.report.study.lanes import WHO, Lane, Length, who

_MOST = 5
_SLACK = 1e-9
"""So that exactly a factor of two, with its rounding error, costs a star."""
_RULE = (
    "Five stars for the best of this table; one fewer for every full factor of two behind it, down to one (16 times or "
    "more). Speed: highest RTFx of any batch. Energy: fewest joules per second of audio of any batch. Memory: least "
    "peak of any batch, of the accelerator's memory where there is one."
)
_OF_A_KIND = "The best is that of the same kind of machine."


@dataclass(frozen=True)
class _Scale:
    """``metric``: which one of a point counts. ``higher``: is better."""

    heading: str
    metric: Callable[[Point], str]
    higher: bool
    show: Callable[[float], str]

    def cost(self, point: Point) -> float:
        """Lower is better; infinite where unknown."""
        value = point.values.get(self.metric(point), 0.0)
        if value <= 0:
            return math.inf
        return 1 / value if self.higher else value

    def best(self, points: Iterable[Point]) -> Point:
        """The one of lowest cost."""
        return min(points, key=self.cost)


_SCALES = (
    _Scale("Speed", lambda point: RTFX, True, lambda value: f"RTFx {plain(value)}"),
    _Scale(
        "Energy", lambda point: ENERGY, False, lambda value: f"{plain(value)} J per second of audio"
    ),
    _Scale("Memory", memory_metric, False, size),
)


def count(behind: float) -> int:
    """Stars of a figure ``behind`` times (1 or more) worse than the best: 5 - floor(log2(behind)), at least 1."""
    return max(1, _MOST - math.floor(math.log2(behind) + _SLACK))


def stars(found: Sequence[Lane], length_s: Length) -> Table:
    """A row for every system and device that measured ``length_s`` to the end."""
    rated = [
        (lane, there)
        for lane in found
        if (there := [p for p in lane.finished if p.length_s == length_s])
    ]
    kinds = kinds_of(point for _, there in rated for point in there).values()
    heads = {
        id(p): [min(map(scale.cost, those)) for scale in _SCALES] for those in kinds for p in those
    }
    rows = []
    for lane, there in rated:
        best = heads[id(there[0])]
        scored = next((point for point in there if point.wer_known), there[0])
        cells = (
            *who(lane),
            *(
                _stars(scale, scale.best(there), head)
                for scale, head in zip(_SCALES, best, strict=True)
            ),
            wer(scored),
        )
        rows.append(Row(cells, {**lane.keys, "length": length_name(length_s)}))
    columns = (*WHO, *(Column(scale.heading) for scale in _SCALES), Column("WER", "%"))
    caption = f"Speed, energy and memory in stars, for {speech(length_s)}"
    return Table(
        "stars", caption, columns, tuple(rows), (_RULE, *([_OF_A_KIND] if len(kinds) > 1 else []))
    )


def _stars(scale: _Scale, point: Point, head: float) -> Cell:
    cost, metric = scale.cost(point), scale.metric(point)
    if math.isinf(cost):
        return missing(why_missing(point, metric))
    number = count(cost / head)
    method = f", {point.energy_method}" if metric == ENERGY else ""
    note = f"{scale.show(point.values[metric])} at batch {point.batch}{method}; {plain(cost / head)} × the best's cost"
    return Cell("★" * number + "☆" * (_MOST - number), -cost / head, note)
