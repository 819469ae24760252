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
from asr_scaling.report.output.drawing import INK, FigureBuilder, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 24
"""More can't be read: then one length is shown, and at most so many of it."""
_COLOURS = ("#EEDD88", "#FFAABB", "#77AADD", "#EE8866", "#BBCC33")
_OTHER, _MORE = "#DDDDDD", ("#44BB99", "#99DDFF", "#AAAA00")
"""Of Tol's light scheme for colour-blind readers (2021): dark text is read on all of them, and none
is a system's.
"""
STAGE_COLOURS: Mapping[str, str] = {**dict(zip(STAGES, _COLOURS, strict=True)), "other": _OTHER}
CLASS_COLOURS: Mapping[str, str] = dict(
    zip(CLASSES, ("#77AADD", "#EE8866", "#EEDD88", "#BBCC33", "#FFAABB", _OTHER), strict=True)
)
_FITS = 0.055
"""Share of a bar that a figure inside it needs in a figure with one panel."""
_KINDS = ("Smallest", "Largest")
Parts = Callable[[Point], Mapping[str, float]]


def shown(found: Sequence[BatchPair]) -> tuple[list[BatchPair], str]:
    """The pairs that bars are drawn of, and a sentence about those that are not."""
    if len(found) <= MOST_BARS:
        return list(found), ""
    length = reference_length([point for pair in found for point in pair.points])
    there = [pair for pair in found if pair.small.length_s == length]
    name = there[0].small.length
    if len(there) <= MOST_BARS:
        return there, f"Only {name} is drawn; the other lengths are in the table."
    return there[
        :MOST_BARS
    ], f"Only the {MOST_BARS} smallest of {len(there)} at {name} are drawn; see the table."


def stages_figure(found: Sequence[BatchPair], style: Style) -> Figure | None:
    """Stages of a call as shares of it, in call order, at the smallest and the largest batch; None
    without stages.
    """
    rows, left_out = shown([pair for pair in found if stage_seconds(pair.small)])
    if not rows:
        return None
    two = any(pair.large is not None for pair in rows)
    builder = FigureBuilder("stages", columns=2 if two else 1, height=_height(len(rows)))
    small: list[Point | None] = [pair.small for pair in rows]
    for axes, side, kind in zip(
        builder.axes, (small, [pair.large for pair in rows]), _KINDS, strict=False
    ):
        batches = {point.batch for point in side if point}
        _bars(
            builder, axes, side, parts=stage_shares, inside=_in_milliseconds, colours=_colours(rows)
        )
        same = f"Batch {min(batches)}" if len(batches) == 1 else f"{kind} batch of each"
        builder.titles(axes, "share of a call, %", "", same)
        for row, point in enumerate(side):
            if point:
                total = sum(stage_seconds(point).values()) / point.batch
                said = duration(total) + ("" if len(batches) == 1 else f", b{point.batch}")
                builder.mark(
                    axes.text(101.5, row, said, va="center", fontsize=8, color=INK), point.keys
                )
        axes.set_xlim(0, 125)
    _name_rows(builder, style, [pair.small for pair in rows], _colours(rows))
    return builder.figure(
        "Where the time of a call goes: its stages in the order they run, as shares of the call. "
        "Inside the bars: "
        f"milliseconds per utterance; behind them: the whole call per utterance. {left_out}".strip(),
        "Stacked horizontal bars, one for each system and length: shares of the stages of a call.",
    )


def operators_figure(found: Sequence[BatchPair], style: Style) -> Figure | None:
    """Classes of operators as shares of operator time at the smallest batch; None where no trace
    was taken.
    """
    rows, left_out = shown([pair for pair in found if class_shares(pair.small)])
    if not rows:
        return None
    builder = FigureBuilder("operators", height=_height(len(rows)))
    side = [pair.small for pair in rows]
    _bars(
        builder,
        builder.axes[0],
        side,
        parts=class_shares,
        inside=_in_percent,
        colours=CLASS_COLOURS,
    )
    builder.axes[0].set_xlim(0, 100)
    builder.titles(builder.axes[0], "share of operator time, %", "")
    _name_rows(builder, style, side, CLASS_COLOURS)
    clocks = sorted({point.tags["ops/clock"] for point in side if "ops/clock" in point.tags})
    clock = f", on the clock of {' and '.join(clocks)}" if clocks else ""
    return builder.figure(
        f"Operators of one call on the first batch, by class: shares of their own time{clock}. "
        "“memory” is copies, "
        f"look-ups and allocations. Smallest batch. {left_out}".strip(),
        "Stacked horizontal bars, one for each system and length: shares of the classes of "
        "operators.",
    )


def _in_milliseconds(point: Point, share: float) -> str:
    return plain(1e3 * share * sum(stage_seconds(point).values()) / point.batch)


def _in_percent(_: Point, share: float) -> str:
    return plain(100 * share, 2)


def _colours(rows: Iterable[BatchPair]) -> Mapping[str, str]:
    """Stage → colour, those that no engine of ours has included."""
    names = dict.fromkeys(
        stage for pair in rows for point in pair.points for stage in stage_seconds(point)
    )
    unknown = [name for name in names if name not in STAGE_COLOURS]
    extra = {name: _MORE[i % len(_MORE)] for i, name in enumerate(unknown)}
    known = {
        name: colour for name, colour in STAGE_COLOURS.items() if name in names and name != "other"
    }
    return known | extra | ({"other": _OTHER} if "other" in names else {})


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
        for part, share in parts(point).items() if point else ():
            title = (
                f"{point.system}, {point.length}, batch {point.batch}: {part} {percent(share)}"
                if point
                else ""
            )
            width = 100 * share
            bar = axes.barh(
                row, width, 0.74, left, color=colours[part], edgecolor="white", linewidth=0.4
            )
            builder.mark(list(bar), point.keys if point else {}, title)
            if point and share >= _FITS * len(builder.axes):
                said = axes.text(
                    left + width / 2,
                    row,
                    inside(point, share),
                    ha="center",
                    va="center",
                    fontsize=7.5,
                )
                builder.mark(said, point.keys, title)
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
    names = [
        f"{p.system} · {p.length}" if one_device else f"{p.system} · {p.device} · {p.length}"
        for p in side
    ]
    axes.set_yticks(range(len(side)), names, fontsize=8)
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
