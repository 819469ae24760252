"""The length that figures which need one length are shown at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asr_scaling.report.points import Point

USUAL_S = 15.0
"""Between lengths measured equally often the nearest to this is taken: a sentence or two."""


def reference_length(points: Sequence[Point]) -> float | None:
    """Seconds; None for natural utterances, and where no point is ok.

    The length at which most pairs of system and batch were measured to the end, so that most can be compared; ties go
    to the length nearest to ``USUAL_S``, the shorter of two as near, and never to natural utterances.
    """
    pairs: dict[float | None, set[tuple[str, int]]] = {}
    for point in points:
        if point.ok:
            pairs.setdefault(point.length_s, set()).add((point.system, point.batch))
    if not pairs:
        return None

    def rank(length_s: float | None) -> tuple[int, float, float]:
        if length_s is None:
            return -len(pairs[None]), math.inf, 0.0
        return -len(pairs[length_s]), abs(length_s - USUAL_S), length_s

    return min(pairs, key=rank)


def at(points: Sequence[Point], length_s: float | None) -> list[Point]:
    """The points of that length that are ok; None: natural utterances."""
    return [point for point in points if point.ok and point.length_s == length_s]
