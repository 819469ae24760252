"""The part of a report about what engines and optimisations bring."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from asr_scaling.analysis.comparison.verdict import ENERGY, LATENCY, RTFX, WER, MetricChange
from asr_scaling.analysis.format import plain, shown_memory
from asr_scaling.analysis.gain_over_plain import (
    PLAIN_ENGINE,
    GainOverPlain,
    Share,
    gains_over_plain,
    is_plain,
    shares,
)
from asr_scaling.analysis.interval_scope import may_change
from asr_scaling.analysis.looping import looping
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import why_unknown
from asr_scaling.core.cautions import IDLE
from asr_scaling.core.decoding import GREEDY
from asr_scaling.core.statistics import Interval
from asr_scaling.report.cells import IDENTITY, identity, missing, number, words
from asr_scaling.report.document import (
    Block,
    Cell,
    Column,
    Figure,
    Row,
    Section,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.output.bars import FASTER, SLOWER, Bar, draw_bars
from asr_scaling.report.output.drawing import FigureBuilder
from asr_scaling.util.groups import grouped

_COLUMNS = (
    *IDENTITY,
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
_SHARE_COLUMNS = (
    *IDENTITY,
    *word_columns("Of which"),
    Column("RTFx", "× without", meaning="over the same system without it, paired by utterance"),
    Column("Latency", "× without", meaning="median time of a call over that of the same without"),
    Column("WER", "points", meaning="change on the same utterances"),
)
_MOST_PANELS, _MOST_BARS = 4, 20
"""More would make a figure that nobody reads; the table has them all."""
_BAR_IN, _FRAME_IN = 0.26, 1.1
"""Height of a bar, and of what is around all of a panel, in inches."""


def sections(points: Sequence[Point]) -> tuple[Section, ...]:
    """The section, none where nothing but plain systems was measured."""
    gains = gains_over_plain(points)
    if not gains:
        return ()
    lone = sum(point.ok and not is_plain(point) for point in points) - len(gains)
    figure = _figure(gains)
    blocks: list[Block] = [Text(_best(gains)), *([figure] if figure else []), _table(gains, lone)]
    if parts := shares(points):
        blocks.append(_shares(parts))
    return (Section("gains", "What engines and optimisations bring", tuple(blocks)),)


def _best(gains: Iterable[GainOverPlain]) -> str:
    """The largest gain of each model on each device whose WER is not worse, in one paragraph."""
    sentences, groups = [], grouped(gains, lambda gain: (gain.point.model, gain.point.device))
    several = len({device for _, device in groups}) > 1
    for (name, device), members in groups.items():
        model = f"{name} on {device}" if several else name
        good = [gain for gain in members if gain.speed_up is not None and not gain.worse_wer]
        best = max(good, key=lambda gain: gain.speed_up or 0.0, default=None)
        if best is None:
            sentences.append(f"Nothing made {model} faster without making it worse.")
            continue
        wer, point = best.comparison.row(WER), best.point
        decoding = "" if point.decoding == GREEDY.name else point.decoding
        how = " · ".join(filter(None, (point.engine, " + ".join(point.optimisations), decoding)))
        about = f"WER {_wer_points(wer)} points"
        if wer.absolute is None:
            about = f"WER not compared: {wer.reason.rstrip('.')}"
        unsure = why_unknown(best.comparison.row(RTFX))
        change = f"{rtfx_change(best)} at batch {point.batch}"
        change += f", which is not sure: {unsure}" if unsure else ""
        sentences.append(f"**{model}** gained most from {how}: {change} ({about}).")
    return " ".join(sentences)


def _table(gains: Sequence[GainOverPlain], lone: int) -> Table:
    notes = [
        f"Plain is engine={PLAIN_ENGINE}, greedy, without optimisations: same model, weights, "
        "device, speech, length and batch.",
        "±: the larger half of the 95 % interval, paired by utterance; –: not available, with the "
        "reason.",
    ]
    compared = {id(point): point for gain in gains for point in (gain.point, gain.plain)}
    notes += may_change(point.tags for point in compared.values())
    notes += looping(point for gain in gains for point in (gain.point, gain.plain))
    notes += [
        f"{gain.point.system} at batch {gain.point.batch}: {caution.message}"
        for gain in gains
        for caution in gain.point.cautions
        if caution.kind == IDLE
    ]
    if lone:
        notes.append(f"{lone} more points have no plain one beside them and are left out.")
    ordered = sorted(gains, key=lambda g: (g.point.model, g.point.batch, -(g.speed_up or 0.0)))
    rows = tuple(Row(_cells(gain), gain.point.keys) for gain in ordered)
    caption = "Each system against the plain one of its model"
    return Table("gains", caption, _COLUMNS, rows, tuple(notes))


def _cells(gain: GainOverPlain) -> tuple[Cell, ...]:
    row, extra = gain.comparison.row, gain.startup_s
    return (
        *identity(gain.point),
        _ratio(row(RTFX)),
        _ratio(row(LATENCY)),
        _wer(row(WER)),
        _ratio(row(ENERGY)),
        _ratio(row(shown_memory(gain.point))),
        missing("loading was not timed in both") if extra is None else number(extra),
        _payoff(gain),
    )


def _shares(parts: Sequence[Share]) -> Table:
    """What each optimisation brings beside the others, where the system without it was measured."""
    ordered = sorted(parts, key=lambda s: (s.point.model, s.point.batch, s.point.system, s.name))
    rows = []
    for share in ordered:
        row = share.comparison.row
        figures = (_ratio(row(RTFX)), _ratio(row(LATENCY)), _wer(row(WER)))
        rows.append(Row((*identity(share.point), words(share.name), *figures), share.point.keys))
    note = "A row for each optimisation without which the same system was measured too."
    caption = "What each optimisation brings beside the others of its system"
    return Table("gains-shares", caption, _SHARE_COLUMNS, tuple(rows), (note,))


def _wer(row: MetricChange) -> Cell:
    if row.absolute is None:
        return missing(row.reason)
    return Cell(_wer_points(row), row.absolute, row.verdict)


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
    note = ", ".join(filter(None, (row.verdict, row.qualifier)))
    interval = Interval(1 + row.interval.low, 1 + row.interval.high) if row.interval else None
    return number(1 + row.relative, interval, note=note)


def rtfx_change(gain: GainOverPlain) -> str:
    """ "2.40 ± 0.10 × the RTFx"."""
    return f"{_ratio(gain.comparison.row(RTFX)).text} × the RTFx"


def _wer_points(row: MetricChange) -> str:
    """The change of a WER in points of per cent: "+0.1 ± 0.3"."""
    value = row.absolute or 0.0
    half = f" ± {plain(100 * row.interval.half(value), 2)}" if row.interval else ""
    return f"{'+' if value > 0 else ''}{plain(100 * value, 2)}{half}"


def _figure(gains: Sequence[GainOverPlain]) -> Figure | None:
    """A bar for each gain in RTFx, best first, a panel for each model, device, length and batch."""
    panels = grouped(
        (gain for gain in gains if gain.speed_up is not None),
        lambda gain: (gain.point.model, gain.point.device, gain.point.length, gain.point.batch),
    )
    if not panels:
        return None
    largest = sorted(sorted(panels, key=lambda key: -len(panels[key]))[:_MOST_PANELS])
    bars = [sorted(map(_bar, panels[key]), key=lambda b: -b.high)[:_MOST_BARS] for key in largest]
    heights = tuple(_BAR_IN * (len(panel) + 0.5) for panel in bars)
    several = len({device for _, device, _, _ in panels}) > 1
    height = sum(_FRAME_IN + panel for panel in heights)
    builder = FigureBuilder("gains", rows=len(bars), height=height, shares=heights)
    for axes, key, panel in zip(builder.axes, largest, bars, strict=True):
        model, device, length, batch = key
        draw_bars(builder, axes, panel)
        where = f"{model} on {device}" if several else model
        builder.titles(axes, "RTFx, × the plain system's", "", f"{where}, {length}, batch {batch}")
    return builder.figure(
        "What engines and optimisations bring in RTFx, with 95 % intervals; the line is the plain "
        "system.",
        "Bars of gains in RTFx by engine and optimisation, a panel for each model and batch.",
    )


def _bar(gain: GainOverPlain) -> Bar:
    decoding = [] if gain.point.decoding == GREEDY.name else [gain.point.decoding]
    name = " + ".join((gain.point.engine, *gain.point.optimisations, *decoding))
    interval, value = gain.comparison.row(RTFX).interval, gain.speed_up or 0.0
    ends = (1 + interval.low, 1 + interval.high) if interval else (value, value)
    colour, title = FASTER if value >= 1 else SLOWER, f"{name}: {rtfx_change(gain)}"
    return Bar(name, 1.0, value, ends, colour, gain.point.keys, title, f"{plain(value)} ×")
