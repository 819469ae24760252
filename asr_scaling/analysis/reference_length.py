"""The length that figures which need one length are shown at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.speech_names import of_one_speech
from asr_scaling.util.groups import grouped

USUAL_S = 15.0
"""A sentence or two: of lengths at which as many systems were measured the nearest counts."""


def reference_length(points: Sequence[Point]) -> float | None:
    """Seconds; None for natural utterances, and where no point is ok.

    The length at which most systems were measured to the end, so that most can be compared; ties go
    to the length nearest to ``USUAL_S``, the shorter of two as near, and never to natural
    utterances.
    """
    lengths = grouped((point for point in points if point.ok), lambda point: point.length_s)

    def rank(length_s: float | None) -> tuple[int, float, float]:
        systems = {(point.system, point.device) for point in of_one_speech(lengths[length_s])}
        distance_s = math.inf if length_s is None else abs(length_s - USUAL_S)
        return -len(systems), distance_s, length_s or 0.0

    return min(lengths, key=rank, default=None)


def at(points: Sequence[Point], length_s: float | None) -> list[Point]:
    """The points of that length that are ok, of the speech that most systems were measured on.

    length_s: None for natural utterances.
    """
    return of_one_speech(point for point in points if point.ok and point.length_s == length_s)
