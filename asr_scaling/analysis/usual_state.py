"""Sentences on which figures are at the machine's usual state, and where that changes them."""

from __future__ import annotations

from collections.abc import Iterable

from asr_scaling.analysis.format import with_interval
from asr_scaling.analysis.points import Point
from asr_scaling.core.judged import differs
from asr_scaling.core.record import RunRecord

_LATENCY, _RTFX = "latency/p50_s", "throughput/rtfx"
_MOST = 8
"""Points that are named."""


def at_usual_state(points: Iterable[Point]) -> list[str]:
    """Of how many points times are at the usual state, where any are."""
    timed = [point for point in points if point.ok and _RTFX in point.values]
    adjusted = sum(point.at_usual(_RTFX) is not None for point in timed)
    if not adjusted:
        return []
    line = (
        "Times are ranked, fitted and shown at this machine's usual state, as its metronome tells "
        "it; as they were they stand in the table of all points and in metrics.csv."
    )
    if adjusted < len(timed):
        line += (
            f" {adjusted} of {len(timed)} points have such figures; those of the others count as "
            "they were."
        )
    return [line]


def changed_by_state(points: Iterable[Point | RunRecord]) -> list[str]:
    """A sentence for each point whose speed as it was and at the usual state are not the same.

    That is where neither interval holds the other's value.
    """
    lines = [line for point in points if (line := _changed(point))]
    more = len(lines) - _MOST
    return lines[:_MOST] + ([f"The same holds for {more} more points."] if more > 0 else [])


def _changed(point: Point | RunRecord) -> str:
    for name, noun, factor in ((_RTFX, "RTFx", 1.0), (_LATENCY, "p50 in ms", 1e3)):
        found = differs(name, point.values, point.intervals)
        if found is not None:
            raw, usual = found
            slower = (raw[0] < usual[0]) == (name == _RTFX)
            return (
                f"{point.name}: {noun} {with_interval(*raw, factor)} as it was, "
                f"{with_interval(*usual, factor)} at the machine's usual state: the machine was "
                f"{'slower' if slower else 'faster'} than usual while it was measured."
            )
    return ""
