"""The table of stars for speed, energy and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from asr_scaling.analysis.caveats import kinds_of, other_speech
from asr_scaling.analysis.comparison.verdict import ENERGY
from asr_scaling.analysis.format import plain, size, speech, why_missing
from asr_scaling.analysis.points import Point, length_name
from asr_scaling.analysis.speech_names import of_one_speech
from asr_scaling.analysis.stars import (
    ENERGY_USE,
    MEMORY_USE,
    MOST_STARS,
    SCALES,
    SPEED,
    StarScale,
    least_costs,
    star_count,
)
from asr_scaling.analysis.system_grid import Length, SystemColumn
from asr_scaling.analysis.usual_state import at_usual_state
from asr_scaling.report.cells import missing, wer
from asr_scaling.report.document import Cell, Column, Row, Table
from asr_scaling.report.study.published import WHO, who

_RULE = (
    "Five stars for the best of this table; one fewer for every full factor of two behind it, "
    "down to one (16 times or more). Speed: highest RTFx of any batch. Energy: fewest joules per "
    "second of audio of any batch. Memory: least peak of any batch, of the accelerator's memory "
    "where there is one."
)
_SHOW: Mapping[str, Callable[[float], str]] = {
    SPEED.heading: lambda value: f"RTFx {plain(value)}",
    ENERGY_USE.heading: lambda value: f"{plain(value)} J per second of audio",
    MEMORY_USE.heading: size,
}
"""How the figure behind the stars is written."""
_OF_A_KIND = "The best is that of the same kind of machine."


def stars(systems: Sequence[SystemColumn], length_s: Length) -> Table:
    """A row for every system and device that measured ``length_s`` to the end."""
    there = [p for column in systems for p in column.finished if p.length_s == length_s]
    ids = set(map(id, of_one_speech(there)))
    rated = [(column, [p for p in column.finished if id(p) in ids]) for column in systems]
    rated = [(column, points) for column, points in rated if points]
    kinds = kinds_of(point for _, points in rated for point in points).values()
    least = least_costs(kinds)
    rows = []
    for column, points in rated:
        best = least[id(points[0])]
        stars = (_stars(scale, scale.best(points), best[scale.heading]) for scale in SCALES)
        scored = next((point for point in points if point.wer_known), points[0])
        keys = {**column.keys, "length": length_name(length_s)}
        rows.append(Row((*who(column), *stars, wer(scored)), keys))
    columns = (*WHO, *(Column(scale.heading) for scale in SCALES), Column("WER", "%"))
    caption = f"Speed, energy and memory in stars, for {speech(length_s)}"
    rated_points = [point for _, points in rated for point in points]
    several = [_OF_A_KIND] if len(kinds) > 1 else []
    notes = (_RULE, *several, *other_speech(there, rated_points), *at_usual_state(rated_points))
    return Table("stars", caption, columns, tuple(rows), notes)


def _stars(scale: StarScale, point: Point, head: float) -> Cell:
    cost, metric = scale.cost(point), scale.metric(point)
    if math.isinf(cost):
        return missing(why_missing(point, metric))
    number = star_count(cost / head)
    method = f", {point.energy_method}" if metric == ENERGY else ""
    figure = _SHOW[scale.heading](point.judged(metric) or 0.0)
    note = f"{figure} at batch {point.batch}{method}; {plain(cost / head)} × the best's cost"
    return Cell("★" * number + "☆" * (MOST_STARS - number), -cost / head, note)
