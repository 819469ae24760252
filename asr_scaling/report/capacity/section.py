"""What this machine holds: requests that arrive, the curves, their cost, and what limits them."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.capacity.curves import Curve, curves
from asr_scaling.analysis.capacity.limits import limits
from asr_scaling.analysis.format import plain, with_interval
from asr_scaling.analysis.points import Point
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.report.capacity.capacity_table import capacity_table
from asr_scaling.report.capacity.figure import load_figure
from asr_scaling.report.capacity.loads_table import closed_table, loads_table
from asr_scaling.report.capacity.queue import queue_blocks
from asr_scaling.report.capacity.searched import how_searched
from asr_scaling.report.document import Block, Bullets, Section, Text
from asr_scaling.report.fields import Field, text
from asr_scaling.report.output.drawing import Style
from asr_scaling.search.serving.outcome import Outcome
from asr_scaling.util.groups import grouped

_MOST = 12
"""Systems of which a sentence says what limits them; the table has all."""
_HOW = (
    "Requests arrive by a schedule that is fixed beforehand, and latency counts from when a "
    "request was due. Whether a rate keeps its bound is partly chance, so that a capacity is a "
    "rate with an interval of 95 %."
)


def sections(
    points: Sequence[Point], style: Style, searched: Outcome | None = None
) -> tuple[Section, ...]:
    """The section on the loads of ``points``; none where no requests arrived.

    searched: what the search for the way to serve found that measured them.
    """
    found = curves(points)
    if not found:
        return ()
    opened = [curve for curve in found if not curve.closed]
    blocks: list[Block] = [Text(_HOW)]
    blocks += [Bullets(tuple(how_searched(searched)))] if searched else []
    if opened:
        ranked = sorted(opened, key=lambda curve: -(curve.holds or 0.0))
        blocks.append(Bullets(tuple(_sentence(curve) for curve in ranked[:_MOST])))
        drawn = load_figure(opened, style)
        blocks += [drawn] if drawn else []
        blocks += [capacity_table(found), loads_table(found), *queue_blocks(ranked)]
    if closed := closed_table(found):
        blocks.append(closed)
    if withheld := _withheld(found):
        blocks += [Text("**Withheld, since nothing is known of the service there:**"), withheld]
    return (Section("capacity", "What this machine holds", tuple(blocks)),)


def load_fields(points: Sequence[Point]) -> list[Field[Point]]:
    """The column that says which requests a point was given; none where no requests arrived."""
    if not any(point.loads for point in points):
        return []
    return [text("Requests", _given, "that arrived besides the calls")]


def _given(point: Point) -> str:
    if not point.loads:
        return "none"
    arrivals = ", ".join(dict.fromkeys(load.arrivals for load in point.loads))
    bound = next((f", {load.bound}" for load in point.loads if load.bound), "")
    (first, *others) = point.loads
    return (
        f"{len(point.loads)} loads, {arrivals}{bound}" if others else f"{_rate(first)}, {arrivals}"
    )


def _sentence(curve: Curve) -> str:
    """What a system holds, and what limits it."""
    first, *_ = limits(curve)
    return f"**{curve.point.system}** {_holds(curve)}. {first.said}"


def _holds(curve: Curve) -> str:
    if not curve.bound:
        rates = [step.offered_per_s for step in curve.steps if step.offered_per_s]
        to = f"up to {plain(max(rates))} requests/s" if rates else "requests"
        return f"was given {to} without a bound"
    if curve.capacity:
        return f"holds {with_interval(*curve.capacity)} requests/s with {curve.bound}"
    if curve.held_to is None:
        return f"is not shown to hold any rate with {curve.bound}"
    above = f", and not at {plain(curve.broken_from)}" if curve.broken_from else ""
    return f"kept {curve.bound} at {plain(curve.held_to)} requests/s{above}"


def _withheld(found: Sequence[Curve]) -> Bullets | None:
    items = []
    for curve in found:
        for reason, loads in grouped(curve.withheld, lambda load: load.why).items():
            which = ", ".join(_rate(load) for load in loads)
            items.append(f"{curve.point.system}, {which}: {reason or 'no reason was recorded'}")
    return Bullets(tuple(items)) if items else None


def _rate(load: LoadPoint) -> str:
    if load.offered_per_s is None:
        return f"{load.clients} clients"
    return f"{plain(load.offered_per_s)} requests/s"
