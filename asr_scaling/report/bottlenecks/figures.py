"""Figures of the bottlenecks: stages of a call, classes of operators, and the roofline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from asr_scaling.analysis.bottlenecks.batch_pairs import BatchPair
from asr_scaling.analysis.bottlenecks.diagnosis import (
    CLASSES,
    STAGES,
    class_shares,
    stage_seconds,
    stage_shares,
)
from asr_scaling.analysis.format import duration, percent, plain
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.report.document import Figure
from asr_scaling.report.output.drawing import INK, FigureBuilder, Style, row_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 24
"""More can't be read: then one length is shown, and at most so many of it."""
_COLOURS = ("#EEDD88", "#FFAABB", "#77AADD", "#EE8866", "#BBCC33")
_OTHER, _MORE = "#DDDDDD", ("#44BB99", "#99DDFF", "#AAAA00")
"""Of Tol's light scheme for colour-blind readers (2021): dark text is read on all of them."""
STAGE_COLOURS: Mapping[str, str] = {**dict(zip(STAGES, _COLOURS, strict=True)), "other": _OTHER}
CLASS_COLOURS: Mapping[str, str] = dict(
    zip(CLASSES, ("#77AADD", "#EE8866", "#EEDD88", "#BBCC33", "#FFAABB", _OTHER), strict=True)
)
_FITS = 0.055
"""Share of a bar that a figure inside it needs in a figure with one panel."""
_KINDS = ("Smallest", "Largest")
Parts = Callable[[Point], Mapping[str, float]]


def shown(pairs: Sequence[BatchPair]) -> tuple[list[BatchPair], str]:
    """The pairs that bars are drawn of, and a sentence about those that are not."""
    if len(pairs) <= MOST_BARS:
        return list(pairs), ""
    length = reference_length([point for pair in pairs for point in pair.points])
    there = [pair for pair in pairs if pair.small.length_s == length]
    name = there[0].small.length
    if len(there) <= MOST_BARS:
        return there, f"Only {name} is drawn; the other lengths are in the table."
    few = f"Only the {MOST_BARS} smallest of {len(there)} at {name} are drawn; see the table."
    return there[:MOST_BARS], few


def stages_figure(pairs: Sequence[BatchPair], style: Style) -> Figure | None:
    """Stages as shares of a call at the smallest and the largest batch; None without stages."""
    rows, left_out = shown([pair for pair in pairs if stage_seconds(pair.small)])
    if not rows:
        return None
    colours, large = _colours(rows), [pair.large for pair in rows]
    small: list[Point | None] = [pair.small for pair in rows]
    builder = FigureBuilder("stages", columns=2 if any(large) else 1, height=_height(len(rows)))
    for axes, side, kind in zip(builder.axes, (small, large), _KINDS, strict=False):
        batches = {point.batch for point in side if point}
        _bars(builder, axes, side, parts=stage_shares, inside=_in_milliseconds, colours=colours)
        same = f"Batch {min(batches)}" if len(batches) == 1 else f"{kind} batch of each"
        builder.titles(axes, "share of a call, %", "", same)
        for row, point in enumerate(side):
            if point:
                total = duration(sum(stage_seconds(point).values()) / point.batch)
                total += "" if len(batches) == 1 else f", b{point.batch}"
                behind = axes.text(101.5, row, total, va="center", fontsize=8, color=INK)
                builder.mark(behind, point.keys)
        axes.set_xlim(0, 125)
    _name_rows(builder, style, [pair.small for pair in rows], colours)
    caption = (
        "Where the time of a call goes: its stages in the order they run, as shares of the call. "
        "Inside the bars: milliseconds per utterance; behind them: the whole call per utterance. "
    )
    return builder.figure(
        f"{caption}{left_out}".strip(),
        "Stacked horizontal bars, one for each system and length: shares of the stages of a call.",
    )


def operators_figure(pairs: Sequence[BatchPair], style: Style) -> Figure | None:
    """Classes of operators as shares of their time, smallest batch; None without a trace."""
    rows, left_out = shown([pair for pair in pairs if class_shares(pair.small)])
    if not rows:
        return None
    builder = FigureBuilder("operators", height=_height(len(rows)))
    side, axes = [pair.small for pair in rows], builder.axes[0]
    _bars(builder, axes, side, parts=class_shares, inside=_in_percent, colours=CLASS_COLOURS)
    axes.set_xlim(0, 100)
    builder.titles(axes, "share of operator time, %", "")
    _name_rows(builder, style, side, CLASS_COLOURS)
    clocks = sorted({point.tags["ops/clock"] for point in side if "ops/clock" in point.tags})
    clock = f", on the clock of {' and '.join(clocks)}" if clocks else ""
    return builder.figure(
        f"Operators of one call on the first batch, by class: shares of their own time{clock}. "
        f"“memory” is copies, look-ups and allocations. Smallest batch. {left_out}".strip(),
        "Stacked horizontal bars, one for each system and length: shares of the classes of "
        "operators.",
    )


def _in_milliseconds(point: Point, share: float) -> str:
    return plain(1e3 * share * sum(stage_seconds(point).values()) / point.batch)


def _in_percent(_: Point, share: float) -> str:
    return plain(100 * share, 2)


def _colours(rows: Iterable[BatchPair]) -> Mapping[str, str]:
    """Stage → colour, those that no engine of ours has included."""
    points = [point for pair in rows for point in pair.points]
    names = dict.fromkeys(stage for point in points for stage in stage_seconds(point))
    ours = {name: colour for name, colour in STAGE_COLOURS.items() if name in names}
    other = {"other": ours.pop("other")} if "other" in ours else {}
    unknown = [name for name in names if name not in STAGE_COLOURS]
    return ours | {name: _MORE[i % len(_MORE)] for i, name in enumerate(unknown)} | other


def _height(rows: int) -> float:
    return 1.15 + 0.27 * max(3, rows)


def _bars(
    builder: FigureBuilder,
    axes: Axes,
    side: Sequence[Point | None],
    *,
    parts: Parts,
    inside: Callable[[Point, float], str],
    colours: Mapping[str, str],
) -> None:
    """One bar a row, each part an artist of its own with its figure where there is room."""
    for row, point in enumerate(side):
        left = 0.0
        if point is None:
            continue
        for part, share in parts(point).items():
            title = f"{point.system}, {point.length}, batch {point.batch}: {part} {percent(share)}"
            width, colour = 100 * share, colours[part]
            bar = axes.barh(row, width, 0.74, left, color=colour, edgecolor="white", linewidth=0.4)
            builder.mark(list(bar), point.keys, title)
            if share >= _FITS * len(builder.axes):
                middle, label = left + width / 2, inside(point, share)
                text = axes.text(middle, row, label, ha="center", va="center", fontsize=7.5)
                builder.mark(text, point.keys, title)
            left += width
    axes.set_ylim(len(side) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xticks(range(0, 101, 25))
    axes.set_yticks(range(len(side)), [""] * len(side))
    axes.tick_params(axis="y", length=0)


def _name_rows(
    builder: FigureBuilder, style: Style, side: Sequence[Point], colours: Mapping[str, str]
) -> None:
    """Names of the rows, each in its system's colour, and of the parts, above the first panel."""
    from matplotlib.patches import Patch

    axes = builder.axes[0]
    one_device = len({point.device for point in side}) == 1
    names = [" · ".join((p.system, *([] if one_device else [p.device]), p.length)) for p in side]
    axes.set_yticks(range(len(side)), [row_name(name) for name in names], fontsize=8)
    for tick, point in zip(axes.get_yticklabels(), side, strict=True):
        tick.set_color(style.colour(point.system))
        builder.mark(tick, point.keys)
    axes.figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in colours.items()],
        loc="outside upper center",
        ncols=len(colours),
        frameon=False,
        fontsize=8.5,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.4,
    )
