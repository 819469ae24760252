"""The roofline: how near encoder and decoder are to what the machine can do at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from asr_scaling.analysis.bottlenecks.batch_pairs import BatchPair
from asr_scaling.analysis.bottlenecks.diagnosis import ROOFED
from asr_scaling.analysis.bottlenecks.roofline import RooflineSpot, highest_roofs, spots
from asr_scaling.analysis.format import percent, plain
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.report.document import Figure
from asr_scaling.report.output.drawing import INK, PALE, FigureBuilder, Style
from asr_scaling.util.groups import grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 2
MOST_NAMED = 8
MOST_PALE = 200
"""More panels, names, and other lengths in a panel can't be read."""
_LINE = 1.4
"""Ratio of FLOP/s that a line of text is high, about."""
_DECADES = tuple(10.0**k for k in range(-4, 7))


def roofline_figure(pairs: Sequence[BatchPair], style: Style) -> Figure | None:
    """One panel for each device, two at most; None where no stage's place is known.

    A line leads from a system's smallest batch at the reference length to its largest; the smallest
    batches of other lengths are pale.
    """
    placed = (pair for pair in pairs if spots(pair.small))
    panels = grouped(placed, lambda pair: _machine(pair.small))
    if not panels:
        return None
    order = sorted(panels, key=lambda name: -len(panels[name]))
    drawn, left_out = order[:MOST_PANELS], order[MOST_PANELS:]
    builder = FigureBuilder("roofline", rows=len(drawn), height=4.3 if len(drawn) == 1 else 7.2)
    length = reference_length([pair.small for pair in pairs])
    for axes, machine in zip(builder.axes, drawn, strict=True):
        _panel(builder, axes, style, panels[machine], length)
        builder.titles(axes, "intensity, FLOP per byte", "GFLOP/s reached", machine)
    more = f" Left out: {', '.join(left_out)}." if left_out else ""
    counts = [sum(pair.small.length_s == length for pair in panels[name]) for name in drawn]
    if max(counts) > MOST_NAMED:
        more += f" Named are the {MOST_NAMED} smallest systems; the others are pale."
    return builder.figure(
        "How near each stage is to what the machine can do. Below the slope memory is the lower "
        "roof, right of the ridge arithmetic is; far below both, overhead bounds. Filled: encoder; "
        "hollow: decoding steps after the first. A line leads from the smallest batch to the "
        "largest; other lengths are pale. Intensity counts operators as run one by one, and caches "
        f"can lift a stage above the slope.{more}",
        "Scatter of FLOP per second against FLOP per byte below the two roofs of the machine, both "
        "axes logarithmic.",
    )


def _machine(point: Point) -> str:
    """The device, and what it is."""
    return point.device if point.hardware in point.device else f"{point.device}: {point.hardware}"


def _named(pairs: Sequence[BatchPair], length: float | None) -> list[BatchPair]:
    """Those at the reference length; one, where none was measured there."""
    here = [pair for pair in pairs if pair.small.length_s == length]
    return here[:MOST_NAMED] or list(pairs[:1])


def _panel(
    builder: FigureBuilder,
    axes: Axes,
    style: Style,
    pairs: Sequence[BatchPair],
    length: float | None,
) -> None:
    named = _named(pairs, length)
    pale = [pair for pair in pairs if pair not in named][:MOST_PALE]
    places = [spot for pair in pairs for point in pair.points for spot in spots(point)]
    roofs = highest_roofs([pair.small for pair in pairs])
    ridges = [flop / byte for flop, byte in roofs.values()]
    left = min([spot.intensity for spot in places] + ridges) / 3
    right = max([spot.intensity for spot in places] + ridges) * 14
    bottom = min(spot.flop_per_s for spot in places) / 2e9
    top = max(flop for flop, _ in roofs.values()) * 2.5 / 1e9
    builder.octaves(axes, "x", [d for d in _DECADES if left <= d <= right])
    builder.octaves(axes, "y", [d for d in _DECADES if bottom <= d <= top])
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    for dtype, (flop, byte) in roofs.items():
        _roof(axes, dtype, flop, byte, (left, right))
    for pair in pale:
        for spot in spots(pair.small):
            _mark(builder, axes, style, spot, 0.3)
    ends = [_path(builder, axes, style, pair, spot) for pair in named for spot in spots(pair.small)]
    for stage in ROOFED:
        right_most = max((spot.intensity for spot in places if spot.stage == stage), default=0.0)
        labels = _labels([spot for spot in ends if spot.stage == stage], style, right_most, roofs)
        builder.label_ends(axes, labels)


def _labels(
    ends: Sequence[RooflineSpot], style: Style, x: float, roofs: Mapping[str, tuple[float, float]]
) -> list[tuple[float, float, str, str]]:
    """Names right of all markers of a stage, and below the roof however many there are."""
    room, labels = 0.7 * max(flop for flop, _ in roofs.values()) / 1e9, []
    for spot in sorted(ends, key=lambda spot: -spot.flop_per_s):
        y = min(spot.flop_per_s / 1e9, room)
        labels.append((x, y, f"{spot.point.system}, {spot.stage}", style.colour(spot.point.system)))
        room /= _LINE
    return labels


def _roof(axes: Axes, dtype: str, flop: float, byte: float, ends: tuple[float, float]) -> None:
    ridge = flop / byte
    xs = [ends[0], ridge, ends[1]]
    axes.plot(xs, [min(flop, x * byte) / 1e9 for x in xs], color=INK, linewidth=1.2)
    peak, copy = f"{dtype} peak {plain(flop / 1e9)} GFLOP/s", f"copy {plain(byte / 1e9)} GB/s"
    axes.annotate(
        f"{peak} · {copy} · ridge {plain(ridge)}".strip(),
        (ends[1], flop / 1e9),
        (-2, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8,
        color=INK,
    )
    axes.axvline(ridge, color=PALE, linewidth=0.8, linestyle=":")


def _mark(
    builder: FigureBuilder, axes: Axes, style: Style, spot: RooflineSpot, alpha: float
) -> None:
    point, colour = spot.point, style.colour(spot.point.system)
    face = colour if spot.stage == "encoder" else "white"
    marks = axes.plot(
        spot.intensity,
        spot.flop_per_s / 1e9,
        style.marker(point.system),
        color=colour,
        markerfacecolor=face,
        markersize=7,
        alpha=alpha,
    )
    share = percent(point.values[f"utilisation/mfu_{spot.stage}"])
    where = f"{point.system}, {spot.stage}, {point.length}, batch {point.batch}"
    builder.mark(marks, point.keys, f"{where}: {share} of peak FLOP/s")


def _path(
    builder: FigureBuilder, axes: Axes, style: Style, pair: BatchPair, spot: RooflineSpot
) -> RooflineSpot:
    """Draw ``spot``, where the largest batch is, and a line between them; returns the last."""
    _mark(builder, axes, style, spot, 1.0)
    largest = spots(pair.large) if pair.large else []
    end = next((other for other in largest if other.stage == spot.stage), spot)
    if end is not spot:
        xs, ys = [spot.intensity, end.intensity], [spot.flop_per_s / 1e9, end.flop_per_s / 1e9]
        line = axes.plot(xs, ys, color=style.colour(spot.point.system), linewidth=1.2, alpha=0.6)
        share = percent(end.point.values[f"utilisation/mfu_{end.stage}"])
        where = f"{end.point.system}, {end.stage}"
        keys = {key: value for key, value in end.point.keys.items() if key != "batch"}
        builder.mark(line, keys, f"{where}: {share} of peak FLOP/s at batch {end.point.batch}")
        _mark(builder, axes, style, end, 0.6)
    return end
