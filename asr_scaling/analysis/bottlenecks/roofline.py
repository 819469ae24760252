"""Places in the roofline (Williams, Waterman & Patterson 2009), and the roofs of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.bottlenecks.diagnosis import ROOFED
from asr_scaling.analysis.points import Point
from asr_scaling.util.groups import grouped


@dataclass(frozen=True)
class RooflineSpot:
    """A stage of a point in the roofline."""

    point: Point
    stage: str
    intensity: float
    """FLOP per byte."""
    flop_per_s: float
    """What the stage reached."""


def spots(point: Point) -> list[RooflineSpot]:
    """The stages of ``point`` whose place is known: MFU × peak over intensity."""
    places = []
    peak = point.value("peak/flop_per_s")
    for stage in ROOFED:
        mfu = point.value(f"utilisation/mfu_{stage}")
        intensity = point.value(f"roofline/{stage}_intensity")
        if peak and mfu and intensity:
            places.append(RooflineSpot(point, stage, intensity, mfu * peak))
    return places


def highest_roofs(points: Sequence[Point]) -> dict[str, tuple[float, float]]:
    """Type of number → highest measured peaks in FLOP/s and bytes per second.

    A peak is a maximum, so the highest of several measurements counts.
    """
    flop, byte = "peak/flop_per_s", "peak/byte_per_s"
    measured = [point for point in points if point.value(flop) and point.value(byte)]
    dtypes = grouped(measured, lambda point: str(point.facts.get("dtype", "")))
    return {
        dtype: (max(p.values[flop] for p in members), max(p.values[byte] for p in members))
        for dtype, members in dtypes.items()
    }
