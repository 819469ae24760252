"""Bars of gains in speed, one below the other, each with its interval and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_scaling.report.document import Keys
from asr_scaling.report.output.drawing import INK, PALETTE, FigureBuilder, row_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAIN, SLOWER, FASTER = PALETTE[:3]
_TICKS = (0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Bar:
    """A bar from one speed to another, both multiples of the baseline's."""

    name: str
    low: float
    """The speed it begins at."""
    high: float
    """The speed it reaches, which may be the smaller one."""
    ends: tuple[float, float] | None
    """The interval of the speed it reaches."""
    colour: str
    keys: Keys
    title: str
    """Its tooltip."""
    label: str
    """The text to its right."""


def draw_bars(builder: FigureBuilder, axes: Axes, bars: Sequence[Bar]) -> None:
    """Draw ``bars`` from above, on a logarithmic axis with a line at 1."""
    reached = [1.0]
    for place, bar in enumerate(bars):
        left, width = min(bar.low, bar.high), abs(bar.high - bar.low)
        patches = axes.barh([place], [width], left=left, height=0.65, color=bar.colour, zorder=2)
        builder.mark(list(patches), bar.keys, bar.title)
        ends = bar.ends or ()
        if bar.ends:
            errors = [[max(0.0, bar.high - bar.ends[0])], [max(0.0, bar.ends[1] - bar.high)]]
            whisker = axes.errorbar(
                [bar.high], [place], xerr=errors, color=INK, capsize=2.0, fmt="none"
            )
            builder.mark(whisker, bar.keys, bar.title)
        label = axes.annotate(
            bar.label,
            (max(bar.low, bar.high, *ends), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
        )
        builder.mark(label, bar.keys, bar.title)
        reached += [bar.low, bar.high, *ends]
    low, high = max(min(reached), 0.05) / 1.1, max(reached) * 1.5
    builder.octaves(axes, "x", [tick for tick in _TICKS if low <= tick <= high])
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(bars)), [row_name(bar.name) for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.axvline(1.0, color=INK, linewidth=0.8)
