"""The order of what a search's final measured: its semifinal's, for a final does not choose."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import compare_points, differs
from asr_scaling.analysis.recommendation.ranks import cell
from asr_scaling.analysis.recommendation.rules import Rule
from asr_scaling.core.search_stage import FINAL, search_stage
from asr_scaling.util.groups import grouped


def as_chosen(rule: Rule, ranked: Sequence[Point]) -> list[Point]:
    """``ranked`` with the points of each final in the order in which they were chosen.

    They share the places that they had. What the final does not show to be faster than its
    baseline comes behind it. Loads the records of finals whole.
    """
    finals = [point for point in ranked if _place(point) is not None]
    order = {one: iter(_ordered(rule, members)) for one, members in grouped(finals, cell).items()}
    return [point if _place(point) is None else next(order[cell(point)]) for point in ranked]


def _place(point: Point) -> int | None:
    """0 for the baseline, 1 for what was chosen; None for a point of no final, or an older one."""
    found = (point.config.get("optimiser") or {}).get("rank")
    return int(found) if search_stage(point.config) == FINAL and isinstance(found, int) else None


def _ordered(rule: Rule, members: Sequence[Point]) -> list[Point]:
    """Of one final: what is shown to be faster, as it was chosen; the baseline; the others."""
    base = next((point for point in members if _place(point) == 0), None)
    chosen = sorted((point for point in members if point is not base), key=_chosen)
    if base is None:
        return chosen
    faster = [point for point in chosen if _is_faster(rule, point, base)]
    return [*faster, base, *(point for point in chosen if point not in faster)]


def _chosen(point: Point) -> int:
    return _place(point) or 0


def _is_faster(rule: Rule, point: Point, base: Point) -> bool:
    row = compare_points(point, base).ranked(rule.first.metric)
    return differs(row) and rule.first.cost(point) < rule.first.cost(base)
