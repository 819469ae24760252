"""The waterfall: from the baseline's speed to the winner's, a bar for each step, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from asr_scaling.report.document import Figure, Keys
from asr_scaling.report.optimise.answers import goal, times, waterfall, wer_change
from asr_scaling.report.output.drawing import INK, PALETTE, FigureBuilder
from asr_scaling.search.gain import Gain
from asr_scaling.search.outcome import Answer

_TICKS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0)
_BAR_IN, _FRAME_IN = 0.42, 1.3
"""Height of a bar, and of what is around all of them, in inches."""


@dataclass(frozen=True)
class Bar:
    """One step of the waterfall; speeds are multiples of the baseline's."""

    name: str
    low: float
    """The speed it begins at."""
    high: float
    """The speed it reaches."""
    ends: tuple[float, float] | None
    """The interval of the speed it reaches."""
    gain: Gain


def bars(answer: Answer) -> list[Bar]:
    """One for each step, each beginning where the one before it ended, and one for all together."""
    found, speed = list[Bar](), 1.0
    for step in answer.steps:
        reached = speed * step.gain.factor
        found.append(Bar(step.name, speed, reached, _ends(step.gain, speed), step.gain))
        speed = reached
    found.append(Bar("together", 1.0, answer.total.factor, _ends(answer.total, 1.0), answer.total))
    return found


def _ends(gain: Gain, speed: float) -> tuple[float, float] | None:
    """Of the interval of ``gain`` on top of ``speed``, which is taken as exact."""
    return (speed * gain.interval.low, speed * gain.interval.high) if gain.interval else None


def drawn(answer: Answer, keys: Keys) -> Figure:
    """Steps from above; a step that slows points to the left. ``keys``: what the page's filter
    knows it by.
    """
    found = bars(answer)
    builder = FigureBuilder(
        f"optimise-waterfall-b{answer.batch}", height=_FRAME_IN + _BAR_IN * len(found)
    )
    (axes,) = builder.axes
    values = [value for bar in found for value in (bar.low, bar.high, *(bar.ends or ()))]
    low, high = max(min(values), 1e-3) / 1.1, max(values) * 1.6
    for place, bar in enumerate(found):
        whole = place == len(found) - 1
        colour = PALETTE[2] if whole else PALETTE[0] if bar.high >= bar.low else PALETTE[1]
        title = f"{bar.name}: {times(bar.gain)}, {wer_change(bar.gain)}"
        left, width = min(bar.low, bar.high), abs(bar.high - bar.low)
        (patch,) = axes.barh([place], [width], left=left, height=0.6, color=colour, zorder=2)
        builder.mark(patch, keys, title)
        if bar.ends is not None:
            errors = [[max(0.0, bar.high - bar.ends[0])], [max(0.0, bar.ends[1] - bar.high)]]
            builder.mark(
                axes.errorbar([bar.high], [place], xerr=errors, color=INK, capsize=2.5, fmt="none"),
                keys,
                title,
            )
        right = max(bar.low, bar.high, *(bar.ends or ()))
        axes.annotate(
            times(bar.gain),
            (right, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    builder.octaves(axes, "x", [tick for tick in _TICKS if low <= tick <= high])
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(found)), [bar.name for bar in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    builder.titles(
        axes,
        f"speed, as a multiple of {answer.baseline.candidate.label} at batch {answer.batch}",
        "",
    )
    return builder.figure(
        f"{goal(answer)}: {_caption(answer)}", f"Waterfall of gains in speed: {waterfall(answer)}."
    )


def _caption(answer: Answer) -> str:
    stages = {step.stage for step in answer.steps}
    where = (
        "all measured in the final"
        if stages == {"final"}
        else "steps from the search where not in the final"
    )
    product = math.prod(step.gain.factor for step in answer.steps)
    apart = (
        ""
        if abs(product / answer.total.factor - 1) < 0.02
        else f"; the steps multiply to {product:.2f} ×"
    )
    return f"what each step gained over the one before it, with 95 % intervals; {where}{apart}."
