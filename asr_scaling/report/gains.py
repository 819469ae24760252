"""The part of a report about what engines and optimisations bring."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from asr_scaling.analysis.comparison.verdict import ENERGY, LATENCY, MEMORY, RTFX, WER, MetricChange
from asr_scaling.analysis.format import DEVICE_MEMORY, memory_metric, plain
from asr_scaling.analysis.gains import PLAIN_ENGINE, GainOverPlain, gains_over_plain, is_plain
from asr_scaling.analysis.points import Point
from asr_scaling.core.statistics import Interval
from asr_scaling.report.cells import batch_cell, length_cell, missing, number, words
from asr_scaling.report.document import Block, Cell, Column, Figure, Row, Section, Table, Text
from asr_scaling.report.output.drawing import INK, PALETTE, FigureBuilder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = (
    Column("System", numeric=False),
    Column("Device", numeric=False),
    Column("Length", "s"),
    Column("Batch"),
    Column(
        "RTFx", "× plain", meaning="audio per second over the plain system's, paired by utterance"
    ),
    Column("Latency", "× plain", meaning="median time of a call over the plain system's"),
    Column("WER", "points", meaning="change on the same utterances"),
    Column("Energy", "× plain", meaning="joules per second of audio over the plain system's"),
    Column("Memory", "× plain", meaning="peak memory over the plain system's"),
    Column("Start-up", "s", meaning="loading and compiling, beyond what the plain system takes"),
    Column(
        "Pays off",
        "utterances",
        meaning="start-up beyond the plain system's over the time an utterance saves",
    ),
)


_TICKS = (0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0)
_MOST_PANELS, _MOST_BARS = 4, 20
"""More would make a figure that nobody reads; the table has them all."""
_BAR_IN, _FRAME_IN = 0.26, 1.1
"""Height of a bar, and of what is around all of a panel, in inches."""


def sections(points: Sequence[Point]) -> tuple[Section, ...]:
    """The section, none where nothing but plain systems was measured."""
    found = gains_over_plain(points)
    return (_section(found, points),) if found else ()


def _section(found: Sequence[GainOverPlain], points: Sequence[Point]) -> Section:
    lone = sum(point.ok and not is_plain(point) for point in points) - len(found)
    blocks: list[Block] = [Text(_best(found))]
    figure = _figure(found)
    blocks += [figure] if figure else []
    blocks.append(_table(found, lone))
    return Section("gains", "What engines and optimisations bring", tuple(blocks))


def _best(found: Iterable[GainOverPlain]) -> str:
    """The largest gain of each model on each device whose WER is not worse, in one paragraph."""
    said, groups = [], dict[tuple[str, str], list[GainOverPlain]]()
    for gain in found:
        groups.setdefault((gain.point.model, gain.point.device), []).append(gain)
    several = len({device for _, device in groups}) > 1
    for (name, device), those in groups.items():
        model = f"{name} on {device}" if several else name
        good = [gain for gain in those if gain.speed_up is not None and not gain.worse_wer]
        best = max(good, key=lambda gain: gain.speed_up or 0.0, default=None)
        if best is None:
            said.append(f"Nothing made {model} faster without making it worse.")
            continue
        wer = best.comparison.row(WER)
        how = " · ".join(filter(None, (best.point.engine, " + ".join(best.point.optimisations))))
        known = wer.absolute is not None
        about = (
            f"WER {_wer_points(wer)} points"
            if known
            else f"WER not compared: {wer.reason.rstrip('.')}"
        )
        said.append(
            f"**{model}** gained most from {how}: {rtfx_change(best)} at batch {best.point.batch} "
            f"({about})."
        )
    return " ".join(said)


def _table(found: Sequence[GainOverPlain], lone: int) -> Table:
    ordered = sorted(found, key=lambda g: (g.point.model, g.point.batch, -(g.speed_up or 0.0)))
    rows = tuple(Row(_cells(gain), gain.point.keys) for gain in ordered)
    notes = [
        f"Plain is engine={PLAIN_ENGINE} without optimisations: same model, weights, device, "
        "speech, length and batch.",
        "±: the larger half of the 95 % interval, paired by utterance; –: not available, with the "
        "reason.",
    ]
    if lone:
        notes.append(f"{lone} more points have no plain one beside them and are left out.")
    return Table(
        "gains", "Each system against the plain one of its model", _COLUMNS, rows, tuple(notes)
    )


def _cells(gain: GainOverPlain) -> tuple[Cell, ...]:
    point, row = gain.point, gain.comparison.row
    memory = MEMORY if memory_metric(point) == MEMORY else DEVICE_MEMORY
    wer, extra = row(WER), gain.startup_s
    points = (
        missing(wer.reason)
        if wer.absolute is None
        else Cell(_wer_points(wer), wer.absolute, wer.verdict)
    )
    return (
        words(point.system),
        words(point.device, point.hardware),
        length_cell(point),
        batch_cell(point),
        _ratio(row(RTFX)),
        _ratio(row(LATENCY)),
        points,
        _ratio(row(ENERGY)),
        _ratio(row(memory)),
        missing("loading was not timed in both") if extra is None else number(extra),
        _payoff(gain),
    )


def _payoff(gain: GainOverPlain) -> Cell:
    after = gain.pays_off_after
    if after is None:
        return missing("loading was not timed in both")
    if after == 0:
        return Cell("at once", 0.0, "it starts no later than the plain system")
    if math.isinf(after):
        return Cell("never", math.inf, "an utterance takes no less time")
    return Cell(f"{after:,}", after)


def _ratio(row: MetricChange) -> Cell:
    """B over A with its interval."""
    if row.relative is None:
        return missing(row.reason or "not measured in both")
    interval = Interval(1 + row.interval.low, 1 + row.interval.high) if row.interval else None
    return number(
        1 + row.relative, interval, note=", ".join(filter(None, (row.verdict, row.qualifier)))
    )


def rtfx_change(gain: GainOverPlain) -> str:
    """ "2.40 ± 0.10 × the RTFx"."""
    return f"{_ratio(gain.comparison.row(RTFX)).text} × the RTFx"


def _wer_points(row: MetricChange) -> str:
    """The change of a WER in points of per cent: "+0.1 ± 0.3"."""
    value = row.absolute or 0.0
    half = f" ± {plain(100 * row.interval.half(value), 2)}" if row.interval else ""
    return f"{'+' if value > 0 else ''}{plain(100 * value, 2)}{half}"


def _figure(found: Sequence[GainOverPlain]) -> Figure | None:
    """A bar for each system's gain in RTFx with its interval, best first, a panel for each model,
    device and batch.
    """
    panels: dict[tuple[str, str, str, int], list[GainOverPlain]] = {}
    for gain in found:
        if gain.speed_up is not None:
            key = (gain.point.model, gain.point.device, gain.point.length, gain.point.batch)
            panels.setdefault(key, []).append(gain)
    largest = sorted(panels, key=lambda key: -len(panels[key]))[:_MOST_PANELS]
    if not largest:
        return None
    bars = {
        key: sorted(panels[key], key=lambda gain: gain.speed_up or 0.0, reverse=True)[:_MOST_BARS]
        for key in sorted(largest)
    }
    heights = tuple(_BAR_IN * (len(each) + 0.5) for each in bars.values())
    several = len({device for _, device, _, _ in panels}) > 1
    builder = FigureBuilder(
        "gains", rows=len(bars), height=sum(_FRAME_IN + each for each in heights), shares=heights
    )
    for axes, ((model, device, length, batch), those) in zip(
        builder.axes, bars.items(), strict=True
    ):
        _panel(builder, axes, those)
        where = f"{model} on {device}" if several else model
        builder.titles(axes, "RTFx, × the plain system's", "", f"{where}, {length}, batch {batch}")
    return builder.figure(
        "What engines and optimisations bring in RTFx, with 95 % intervals; the line is the plain "
        "system.",
        "Bars of gains in RTFx by engine and optimisation, a panel for each model and batch.",
    )


def _panel(builder: FigureBuilder, axes: Axes, those: Sequence[GainOverPlain]) -> None:
    names = [" + ".join((gain.point.engine, *gain.point.optimisations)) for gain in those]
    reached = [1.0]
    for place, (gain, name) in enumerate(zip(those, names, strict=True)):
        row, value = gain.comparison.row(RTFX), gain.speed_up or 0.0
        title, colour = f"{name}: {rtfx_change(gain)}", PALETTE[2 if value >= 1 else 1]
        bar = axes.barh(
            [place], [abs(value - 1)], left=min(1.0, value), height=0.65, color=colour, zorder=2
        )
        builder.mark(list(bar), gain.point.keys, title)
        ends = (1 + row.interval.low, 1 + row.interval.high) if row.interval else (value, value)
        errors = [[max(0.0, value - ends[0])], [max(0.0, ends[1] - value)]]
        builder.mark(
            axes.errorbar([value], [place], xerr=errors, color=INK, capsize=2.0, fmt="none"),
            gain.point.keys,
            title,
        )
        reached += [value, *ends]
        label = axes.annotate(
            f"{plain(value)} ×", (max(1.0, *ends), place), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=8, color=INK,
        )  # fmt: skip
        builder.mark(label, gain.point.keys, title)
    low, high = max(min(reached), 0.05) / 1.1, max(reached) * 1.5
    builder.octaves(axes, "x", [tick for tick in _TICKS if low <= tick <= high])
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(those)), names)
    axes.set_ylim(len(those) - 0.4, -0.6)
    axes.axvline(1.0, color=INK, linewidth=0.8)
