"""What engines and optimisations bring, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asr_scaling.analysis.comparison.verdict import RTFX
from asr_scaling.analysis.format import plain
from asr_scaling.report.document import Figure
from asr_scaling.report.gains.pairs import Gain, factor, times
from asr_scaling.report.output.drawing import INK, PALETTE, Sketch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = (0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0)
_MOST_PANELS, _MOST_BARS = 4, 20
"""More would make a figure that nobody reads; the table has them all."""
_BAR_IN, _FRAME_IN = 0.26, 1.1
"""Height of a bar, and of what is around all of a panel, in inches."""


def drawn(found: Sequence[Gain]) -> Figure | None:
    """A bar for each system's gain in RTFx with its interval, best first, a panel for each model, device and batch."""
    panels: dict[tuple[str, str, str, int], list[Gain]] = {}
    for gain in found:
        if factor(gain.found.row(RTFX)) is not None:
            key = (gain.point.model, gain.point.device, gain.point.length, gain.point.batch)
            panels.setdefault(key, []).append(gain)
    largest = sorted(panels, key=lambda key: -len(panels[key]))[:_MOST_PANELS]
    if not largest:
        return None
    bars = {
        key: sorted(panels[key], key=_speed, reverse=True)[:_MOST_BARS] for key in sorted(largest)
    }
    heights = tuple(_BAR_IN * (len(each) + 0.5) for each in bars.values())
    several = len({device for _, device, _, _ in panels}) > 1
    sketch = Sketch(
        "gains", rows=len(bars), height=sum(_FRAME_IN + each for each in heights), shares=heights
    )
    for axes, ((model, device, length, batch), those) in zip(
        sketch.axes, bars.items(), strict=True
    ):
        _panel(sketch, axes, those)
        where = f"{model} on {device}" if several else model
        sketch.titles(axes, "RTFx, × the plain system's", "", f"{where}, {length}, batch {batch}")
    return sketch.figure(
        "What engines and optimisations bring in RTFx, with 95 % intervals; the line is the plain system.",
        "Bars of gains in RTFx by engine and optimisation, a panel for each model and batch.",
    )


def _speed(gain: Gain) -> float:
    return factor(gain.found.row(RTFX)) or 0.0


def _panel(sketch: Sketch, axes: Axes, those: Sequence[Gain]) -> None:
    names = [" + ".join((gain.point.engine, *gain.point.optimisations)) for gain in those]
    reached = [1.0]
    for place, (gain, name) in enumerate(zip(those, names, strict=True)):
        row, value = gain.found.row(RTFX), _speed(gain)
        title, colour = f"{name}: {times(row)}", PALETTE[2 if value >= 1 else 1]
        bar = axes.barh(
            [place], [abs(value - 1)], left=min(1.0, value), height=0.65, color=colour, zorder=2
        )
        sketch.mark(list(bar), gain.point.keys, title)
        ends = (1 + row.interval.low, 1 + row.interval.high) if row.interval else (value, value)
        errors = [[max(0.0, value - ends[0])], [max(0.0, ends[1] - value)]]
        sketch.mark(
            axes.errorbar([value], [place], xerr=errors, color=INK, capsize=2.0, fmt="none"),
            gain.point.keys,
            title,
        )
        reached += [value, *ends]
        label = axes.annotate(
            f"{plain(value)} ×", (max(1.0, *ends), place), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=8, color=INK,
        )  # fmt: skip
        sketch.mark(label, gain.point.keys, title)
    low, high = max(min(reached), 0.05) / 1.1, max(reached) * 1.5
    sketch.octaves(axes, "x", [tick for tick in _TICKS if low <= tick <= high])
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(those)), names)
    axes.set_ylim(len(those) - 0.4, -0.6)
    axes.axvline(1.0, color=INK, linewidth=0.8)
