"""The figure of latency over load: all systems on one axis, with the bound drawn in."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from asr_scaling.analysis.capacity.curves import P50, TAILS, Curve
from asr_scaling.analysis.capacity.holding import bound_of, tail_of
from asr_scaling.analysis.format import duration, plain, with_interval
from asr_scaling.analysis.points import Point
from asr_scaling.core.pooled_loads import PooledLoad
from asr_scaling.core.statistics import Interval
from asr_scaling.report.document import Figure
from asr_scaling.report.output.axes_style import CROWDED, MOST_NAMES, StyledAxes, Value
from asr_scaling.report.output.drawing import INK, FigureBuilder, Style

_HEIGHT_IN, _NAME_IN = 4.2, 0.2
"""Of the axes, and of each name below them."""
_LONG_NAME, _FEW = 45, 4
"""Letters of a name that needs the whole width; names that need no second column."""
_WIDEST = 80
"""Letters of a line of a name: longer ones would leave no room for the axes."""
_NARROW = 0.3
"""Half an interval, over its capacity, from which on its bar is thin: a thick one would lie over
those of the others."""
_APART, _PLAIN = " · ", "nothing else"
"""Between the parts of a name; what a name is that has no part of its own."""
_NOT_KEPT, _SOMETIMES = "x", "white"
_CAPTION = (
    "of the time from when a request was due to its text, over the requests a second that were "
    "due, with intervals of 95 %; dotted: the median. A cross: the bound was not "
    "kept; hollow: not every time, or not known. Both axes are logarithmic."
)
_NAMES = {name: f"{name[1:]}th percentile" for name in TAILS} | {"p50": "median"}
_LEFT = "Loads of too few requests for it are in the table alone: {}."
_SHARED = "All are of {}."
_ON_THE_BOUND = "A bar on the bound is the interval of a capacity."


def load_figure(curves: Sequence[Curve], style: Style) -> Figure | None:
    """The curves of open loads; None where none has a percentile of its latency."""
    name = tail_of([curve for curve in curves if not curve.closed])
    tail = TAILS.get(name or "", "")
    opened = [(curve, _known(curve, tail)) for curve in curves if not curve.closed]
    drawn = [(curve, steps) for curve, steps in opened if steps]
    if name is None or not drawn:
        return None
    builder = FigureBuilder(
        "load-curves", height=_HEIGHT_IN + _NAME_IN * min(len(drawn), MOST_NAMES)
    )
    styled = StyledAxes(builder, builder.axes[0], style)
    bounds = _bounds(curves)
    every = [step for _, steps in drawn for step in steps]
    found = [curve.capacity for curve, _ in drawn if curve.capacity]
    styled.scale("x", [(step.offered_per_s or 0.0, None) for step in every] + found)
    medians = [value for step in every if (value := _value(step, P50))[0]]
    tops: list[Value] = [(bound_s, None) for bound_s in bounds.values()]
    styled.scale("y", [_value(step, tail) for step in every] + medians + tops)
    latency = f"{_NAMES[name]} of their latency (s)"
    builder.titles(styled.axes, "requests a second that were due", latency)
    _draw_bounds(styled, bounds)
    for curve, steps in drawn:
        _draw_curve(styled, curve, steps, name, len(every) <= CROWDED)
        _draw_capacity(styled, curve, bounds.get(curve.bound))
    shared = _legend(styled, drawn)
    left = sum(len(curve.steps) for curve, _ in opened) - len(every)
    notes = [_ON_THE_BOUND] if found else []
    notes += [_SHARED.format(shared)] if shared else []
    notes += [_LEFT.format(left)] if left else []
    caption = " ".join((f"Latency over load: {_NAMES[name]} {_CAPTION}", *notes))
    return builder.figure(caption, _alt(name, drawn, bounds))


def _known(curve: Curve, tail: str) -> list[PooledLoad]:
    return [step for step in curve.steps if step.offered_per_s and step.value(tail)]


def _bounds(curves: Sequence[Curve]) -> dict[str, float]:
    """Bound → seconds of the furthest percentile that it names, where it names one."""
    found = {curve.bound: bound_of(curve.bound) for curve in curves if curve.bound}
    return {text: b.hardest.limit_s for text, b in found.items() if b and b.hardest}


def _value(step: PooledLoad, metric: str) -> Value:
    return step.value(metric) or 0.0, step.interval(metric)


def _draw_bounds(styled: StyledAxes, bounds: dict[str, float]) -> None:
    for bound, bound_s in bounds.items():
        line = styled.axes.axhline(bound_s, color=INK, linewidth=1.0, linestyle=(0, (6, 3)))
        styled.builder.mark(line, {}, f"the bound: {bound}")
        left = styled.axes.get_xlim()[0]
        styled.axes.annotate(
            bound,
            (left, bound_s),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=8.5,
            color=INK,
        )


def _draw_curve(
    styled: StyledAxes, curve: Curve, steps: Sequence[PooledLoad], name: str, markers: bool
) -> None:
    point = curve.point
    colour = styled.style.colour(point.system)
    path = [(step.offered_per_s or 0.0, step.value(TAILS[name]) or 0.0) for step in steps]
    title = f"{name} of {point.system}"
    styled.line(path, colour, device=point.device, keys=point.keys, title=title)
    halves = [
        (x, value) for (x, _), step in zip(path, steps, strict=True) if (value := step.value(P50))
    ]
    if halves:
        (dotted,) = styled.axes.plot(
            *zip(*halves, strict=True), color=colour, linestyle=":", linewidth=1.0, zorder=1.4
        )
        styled.builder.mark(dotted, point.keys, f"median of {point.system}")
    for step in steps if markers else ():
        _draw_step(styled, step, name, point)


def _legend(styled: StyledAxes, drawn: Sequence[tuple[Curve, Sequence[PooledLoad]]]) -> str:
    """Names below the axes: curves end where other curves are. What all names share is left out.

    Returns what they share.
    """
    from matplotlib.lines import Line2D

    style, several = styled.style, len(styled.style.devices) > 1
    kinds = len({curve.arrivals for curve, _ in drawn}) > 1
    lines = dict[tuple[str, ...], Line2D]()
    for curve, _ in sorted(drawn, key=lambda pair: -(pair[0].holds or 0.0)):
        point = curve.point
        more = [point.device] if several else []
        parts = (*point.system.split(_APART), *more, *([curve.arrivals] if kinds else []))
        colour, marker = style.colour(point.system), style.marker(point.system)
        line = Line2D([], [], color=colour, marker=marker, linestyle=style.line(point.device))
        lines.setdefault(parts, line)
    shared = [part for part in next(iter(lines)) if all(part in parts for parts in lines)]
    shared = shared if len(lines) > 1 else []
    names = [
        textwrap.fill(_APART.join(p for p in parts if p not in shared) or _PLAIN, _WIDEST)
        for parts in list(lines)[:MOST_NAMES]
    ]
    styled.axes.legend(
        list(lines.values())[:MOST_NAMES],
        names,
        loc="upper left",
        bbox_to_anchor=(0.0, -0.14),
        fontsize=8.5,
        frameon=False,
        ncols=1 if max(map(len, names)) > _LONG_NAME or len(names) < _FEW else 2,
        title="" if len(names) == len(lines) else f"{len(names)} of {len(lines)} systems",
        title_fontsize=8.5,
    )
    return _APART.join(shared)


def _draw_step(styled: StyledAxes, step: PooledLoad, name: str, point: Point) -> None:
    sure = step.held or step.broken or step.verdict == "unasked"
    colour, marker = styled.style.colour(point.system), styled.style.marker(point.system)
    value, interval = _value(step, TAILS[name])
    artist = styled.axes.errorbar(
        step.offered_per_s or 0.0,
        value,
        yerr=_bar(value, interval),
        fmt=_NOT_KEPT if step.broken else marker,
        color=colour,
        markersize=6.0 if step.broken else 5.5,
        markeredgewidth=1.6 if step.broken else 1.0,
        markerfacecolor=colour if sure else _SOMETIMES,
        elinewidth=1.0,
        capsize=2.0,
        zorder=3,
    )
    latency = f"{with_interval(value, interval)} s" if interval else duration(value)
    said = f"{plain(step.offered_per_s or 0.0)} requests/s: {name} {latency}, {step.verdict}"
    styled.builder.mark(artist, point.keys, said)


def _draw_capacity(styled: StyledAxes, curve: Curve, bound_s: float | None) -> None:
    if curve.capacity is None or bound_s is None:
        return
    value, interval = curve.capacity
    narrow = interval is not None and interval.half(value) < _NARROW * value
    artist = styled.axes.errorbar(
        value,
        bound_s,
        xerr=_bar(value, interval),
        fmt="|",
        color=styled.style.colour(curve.point.system),
        markersize=13.0,
        markeredgewidth=2.2,
        elinewidth=3.5 if narrow else 0.8,
        zorder=4,
    )
    said = f"{curve.point.system} holds {with_interval(value, interval)} requests/s"
    styled.builder.mark(artist, curve.point.keys, f"{said} with {curve.bound}")


def _bar(value: float, interval: Interval | None) -> list[list[float]] | None:
    if interval is None:
        return None
    return [[max(0.0, value - interval.low)], [max(0.0, interval.high - value)]]


def _alt(
    name: str, drawn: Sequence[tuple[Curve, Sequence[PooledLoad]]], bounds: dict[str, float]
) -> str:
    said = [
        f"{curve.point.system} from {plain(steps[0].offered_per_s or 0.0)} to "
        f"{plain(steps[-1].offered_per_s or 0.0)} requests/s"
        for curve, steps in drawn
    ]
    under = f", with the bound {' and '.join(bounds)}" if bounds else ""
    return f"{name} over load{under}: {'; '.join(said)}."
