"""Points, lines and logarithmic axes as the figures of scaling and of Pareto fronts have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_scaling.analysis.points import Point
from asr_scaling.core.statistics import Interval
from asr_scaling.report.document import Keys
from asr_scaling.report.output.drawing import INK, PALE, FigureBuilder, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CROWDED = 400
"""With more points than this a figure has lines only."""
MOST_NAMES = 24
"""More names than this don't fit beside the curves."""
Value = tuple[float, Interval | None]
_ROOM, _EDGE = 0.04, 1.02
"""An axis exceeds its values by this share of its length, and by this factor."""
_MOST_TICKS, _FEWEST_TICKS = 9, 3


@dataclass(frozen=True)
class StyledAxes:
    """Draws on one of the axes of a builder, and marks what each drawn thing is about."""

    builder: FigureBuilder
    axes: Axes
    style: Style
    _labels: list[tuple[float, float, str, str]] = field(default_factory=list)

    def scale(self, which: str, values: Sequence[Value], at: Sequence[float] = ()) -> None:
        """A logarithmic axis, "x" or "y", for positive values; ticks ``at`` or at round numbers."""
        places, ends = sorted(set(at)), _span(values)
        ticks = places if 0 < len(places) <= _MOST_TICKS else _ticks(*ends)
        self.builder.octaves(self.axes, which, ticks)
        (self.axes.set_xlim if which == "x" else self.axes.set_ylim)(*ends)

    def point(self, point: Point, x: Value, y: Value, title: str, *, pale: bool = False) -> None:
        """A marker with both intervals' bars; hollow on other devices than the first."""
        colour = PALE if pale else self.style.colour(point.system)
        artist = self.axes.errorbar(
            x[0],
            y[0],
            xerr=_bar(*x),
            yerr=_bar(*y),
            fmt=self.style.marker(point.system),
            color=colour,
            markersize=4.5 if pale else 5.5,
            markerfacecolor="white" if point.device != self.style.devices[0] else colour,
            elinewidth=0.6 if pale else 1.0,
            capsize=0.0 if pale else 2.0,
            zorder=2 if pale else 3,
        )
        self.builder.mark(artist, point.keys, title)

    def line(
        self,
        path: Sequence[tuple[float, float]],
        colour: str,
        *,
        device: str,
        keys: Keys,
        title: str,
    ) -> None:
        """A line through (x, y) behind the points in its device's style; nothing without a path."""
        if not path:
            return
        (artist,) = self.axes.plot(
            *zip(*path, strict=True),
            color=colour,
            linestyle=self.style.line(device),
            linewidth=1.3,
            zorder=1.5,
        )
        self.builder.mark(artist, keys, title)

    def cloud(
        self, path: Sequence[tuple[float, float]], *, device: str, keys: Keys, title: str
    ) -> None:
        """Many points (x, y) as one thing, without bars."""
        fill = "white" if device != self.style.devices[0] else INK
        (artist,) = self.axes.plot(
            *zip(*path, strict=True),
            "o",
            color=INK,
            markerfacecolor=fill,
            markersize=2.5,
            markeredgewidth=0.5,
        )
        self.builder.mark(artist, keys, title)

    def name(self, x: float, y: float, system: str, device: str, more: str = "") -> None:
        """Note the name of what ends at (x, y), for ``write``; ``more`` follows it."""
        text = f"{system} · {device}" if len(self.style.devices) > 1 else system
        self._labels.append((x, y, text + more, self.style.colour(system)))

    def write(self) -> None:
        """Write the names, or how many there are; call it last."""
        from matplotlib.patheffects import withStroke

        if len(self._labels) > MOST_NAMES:
            many, place = f"{len(self._labels)} systems, too many to name here", self.axes.transAxes
            self.axes.text(1.0, 1.02, many, transform=place, fontsize=8.5, color=INK, ha="right")
            return
        self.builder.label_ends(self.axes, self._labels)
        for text in self.axes.texts:
            text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _ticks(low: float, high: float) -> list[float]:
    """The coarsest round numbers, three at least, between positive ``low`` and ``high``."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        within = [
            tick
            for power in powers
            for digit in digits
            if low <= (tick := float(f"{digit}e{power}")) <= high
        ]
        if len(within) >= _FEWEST_TICKS:
            return within
    room = (high - low) / _FEWEST_TICKS
    unit = math.floor(math.log10(room))
    step = max(tick for digit in (1, 2, 5) if (tick := float(f"{digit}e{unit}")) <= room)
    steps = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [float(f"{k * step:.12g}") for k in steps]


def value_of(point: Point, metric: str, factor: float = 1.0) -> Value:
    """A metric that ``point`` has, as it is judged, and its interval, times ``factor``."""
    value, interval = point.stated(metric) or (point.values[metric], None)
    scaled = Interval(interval.low * factor, interval.high * factor) if interval else None
    return value * factor, scaled


def between(values: Sequence[float], count: int = 160) -> list[float]:
    """``count`` values over the range of positive ``values``, evenly on a logarithmic axis."""
    low, high = min(values), max(values)
    inner = [low * (high / low) ** (i / (count - 1)) for i in range(1, count - 1)]
    return [low, *inner, high]


def _span(values: Sequence[Value]) -> tuple[float, float]:
    """Ends of an axis that shows the values, and their bars up to a factor of three beyond."""
    low, high = min(value for value, _ in values), max(value for value, _ in values)
    bars = [interval for _, interval in values if interval is not None]
    least = min([low, *(max(interval.low, low / 3) for interval in bars)])
    most = max([high, *(min(interval.high, high * 3) for interval in bars)])
    room = (most / least) ** _ROOM * _EDGE
    return least / room, most * room


def _bar(value: float, interval: Interval | None) -> list[list[float]] | None:
    if interval is None:
        return None
    return [[max(0.0, value - interval.low)], [max(0.0, interval.high - value)]]
