"""The length that figures which need one length are shown at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asr_scaling.analysis.points import Point

USUAL_S = 15.0
"""A sentence or two: of lengths at which as many systems were measured the nearest counts."""


def reference_length(points: Sequence[Point]) -> float | None:
    """Seconds; None for natural utterances, and where no point is ok.

    The length at which most systems were measured to the end, so that most can be compared; ties go
    to the length nearest to ``USUAL_S``, the shorter of two as near, and never to natural
    utterances.
    """
    systems: dict[float | None, set[tuple[str, str]]] = {}
    for point in points:
        if point.ok:
            systems.setdefault(point.length_s, set()).add((point.system, point.device))
    if not systems:
        return None

    def rank(length_s: float | None) -> tuple[int, float, float]:
        if length_s is None:
            return -len(systems[None]), math.inf, 0.0
        return -len(systems[length_s]), abs(length_s - USUAL_S), length_s

    return min(systems, key=rank)


def at(points: Sequence[Point], length_s: float | None) -> list[Point]:
    """The points of that length that are ok; None: natural utterances."""
    return [point for point in points if point.ok and point.length_s == length_s]
