"""The Pareto fronts: which systems no other beats in both WER and speed, latency or energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.caveats import error_rates, other_speech, partly, several_hosts
from asr_scaling.analysis.comparison.verdict import ENERGY, LATENCY, RTFX, WER
from asr_scaling.analysis.format import at_length, latency_metric, percent, plain
from asr_scaling.analysis.pareto import ENERGY_AXIS, LATENCY_AXIS, RTFX_AXIS, CostAxis
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import at, reference_length
from asr_scaling.analysis.usual_state import at_usual_state
from asr_scaling.report.cells import batch_cell, figure, latency, wer, words
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
from asr_scaling.report.output.axes_style import CROWDED, StyledAxes, Value, value_of
from asr_scaling.report.output.drawing import INK, FigureBuilder, Style
from asr_scaling.util.groups import grouped

_TITLE = "Pareto fronts"
_BELOW = 0.03
"""Share of the figure's height by which names are below their points, clear of the step line."""
_INTRO = (
    "A system is on a front when no other of the same device has both a lower WER and a lower "
    "cost. Anything off the fronts gives away one for nothing. Fronts go by the measured values; "
    "where error bars overlap, who leads is not certain."
)


@dataclass(frozen=True)
class _Shown:
    """An axis of cost, as it is shown."""

    axis: CostAxis
    noun: str
    label: str
    factor: float = 1.0
    """What a value is drawn times."""


_SHOWN = (
    _Shown(RTFX_AXIS, "RTFx", "RTFx (audio seconds per second)"),
    _Shown(LATENCY_AXIS, "latency", "latency of a call, batch 1 (ms)", factor=1e3),
    _Shown(ENERGY_AXIS, "energy", "energy per second of audio (J)"),
)


def section(points: Sequence[Point], style: Style) -> Section:
    """A figure for each axis and a table of all members, at the report's reference length.

    Points of unknown WER are on no front; where nothing is left to draw, a sentence says why.
    """
    here = at(points, reference_length(points))
    if not any(point.wer_known for point in here):
        return Section("pareto", _TITLE, (Text(_no_wer(here)),))
    blocks: list[Block] = [Text(_INTRO), Text(" ".join(_qualified(points, here)))]
    blocks += [
        _figure(shown, here, style) if _drawn(shown, here) else Text(_nothing(shown, here))
        for shown in _SHOWN
    ]
    return Section("pareto", _TITLE, (*blocks, _table(here)))


def _drawn(shown: _Shown, points: Sequence[Point]) -> list[Point]:
    return [point for point in points if shown.axis.has(point)]


def _figure(shown: _Shown, here: Sequence[Point], style: Style) -> Figure:
    """A panel for each device."""
    devices = grouped(_drawn(shown, here), lambda point: point.device)
    rows = len(devices)
    builder = FigureBuilder(f"pareto-{shown.axis.name}", rows=rows, height=0.7 + 3.5 * rows)
    for axes, (device, drawn) in zip(builder.axes, devices.items(), strict=True):
        builder.titles(
            axes, shown.label, f"{_named(drawn)} (%)", device if len(devices) > 1 else ""
        )
        _draw(StyledAxes(builder, axes, style), shown, drawn)
    what = f"{_named(here)} against {shown.noun}, {at_length(here[0].length_s)}"
    legend = (
        f"{what}: towards the lower {'right' if shown.axis.higher else 'left'} is better. The step "
        "line joins the front of a device; what is dominated is pale. Bars are intervals of 95 %."
    )
    caption = filter(None, (legend, _centre(shown, _drawn(shown, here)), _left_out(shown, here)))
    alt = f"{what}: a point for each system and batch, the front as a step line."
    return builder.figure(" ".join(caption), alt)


def _draw(styled: StyledAxes, shown: _Shown, drawn: Sequence[Point]) -> None:
    """The points of one device and their front."""
    (members,) = shown.axis.fronts(drawn).values()
    inside = {id(member) for member in members}
    styled.scale("x", [_x(shown, point) for point in drawn])
    highest = max(interval.high if interval else wer for wer, interval in map(_wer, drawn))
    top = 1.15 * highest or 1.0
    styled.axes.set_ylim(0, top)
    marked = set()
    for point in drawn:
        on_front = id(point) in inside
        x, y = _x(shown, point), _wer(point)
        if len(drawn) <= CROWDED or (on_front and (point.system, point.batch, x, y) not in marked):
            # repeated points may tie: one marker shows them
            marked.add((point.system, point.batch, x, y))
            error = f"{point.error_name} {percent(point.values[point.error_rate])}"
            title = f"{point.name}: {error}, {shown.noun} {plain(x[0])}"
            styled.point(point, x, y, title, pale=not on_front)
    edge, device = styled.axes.get_xlim()[0 if shown.axis.higher else 1], drawn[0].device
    keys, steps = {"device": device, "length": drawn[0].length}, _steps(shown, members, edge, top)
    styled.line(steps, INK, device=device, keys=keys, title=f"front on {device}")
    _write_names(styled, shown, drawn, inside, _BELOW * top)


def _write_names(
    styled: StyledAxes, shown: _Shown, drawn: Sequence[Point], members: set[int], below: float
) -> None:
    """Each system of a device once, at its member of the front if it has one."""
    for system, some in grouped(drawn, lambda point: point.system).items():
        named = max(some, key=lambda p: (id(p) in members, _x(shown, p)[0]))
        batch = "" if shown.axis.single else f", batch {named.batch}"
        styled.name(_x(shown, named)[0], _wer(named)[0] - below, system, named.device, batch)
    styled.write()


def _x(shown: _Shown, point: Point) -> Value:
    """As drawn."""
    return value_of(point, shown.axis.metric(point), shown.factor)


def _wer(point: Point) -> Value:
    """In per cent."""
    return value_of(point, point.error_rate, 100)


def _named(points: Sequence[Point]) -> str:
    """ "WER", "CER", or both where the points are of several kinds of script."""
    return " or ".join(sorted({p.error_name for p in points if p.wer_known}, reverse=True))


def _steps(
    shown: _Shown, members: Sequence[Point], edge: float, top: float
) -> list[tuple[float, float]]:
    """From ``top`` at the cheapest member's cost down to the best WER, to the dear ``edge``."""
    path, above = list[tuple[float, float]](), top
    for member in members:
        x, below = _x(shown, member)[0], _wer(member)[0]
        path += [(x, above), (x, below)]
        above = below
    return [*path, (edge, above)]


def _table(here: Sequence[Point]) -> Table:
    """One row a member of a front."""
    columns = (
        *word_columns("front", "device", "system"),
        Column("batch", meaning="Utterances in a call."),
        Column("WER", "%"),
        Column("RTFx", meaning="Audio seconds transcribed per second."),
        Column(
            "latency of a call", "ms", meaning="The median; the mean where too few calls bound it."
        ),
        Column("energy per second of audio", "J"),
    )
    rows = tuple(
        Row((words(shown.noun), *_cells(member)), member.keys)
        for shown in _SHOWN
        for members in shown.axis.fronts(here).values()
        for member in members
    )
    caption = f"Who is on a front, {at_length(here[0].length_s)}, cheapest first."
    return Table("pareto-members", caption, columns, rows)


def _cells(point: Point) -> tuple[Cell, ...]:
    measured = (figure(point, RTFX), latency(point), figure(point, ENERGY))
    return (words(point.device), words(point.system), batch_cell(point), wer(point), *measured)


def _qualified(points: Sequence[Point], here: Sequence[Point]) -> list[str]:
    """What the reader must know of all fronts."""
    length = here[0].length
    one = f"one length, {length}" if here[0].length_s else "natural utterances"
    sentences = [f"All are of {one}."]
    if others := dict.fromkeys(p.length for p in points if p.ok and p.length != length):
        sentences.append(f"Other lengths ({', '.join(others)}) are not shown.")
    scored = [point for point in here if point.wer_known]
    sentences += [
        *error_rates(scored),
        *other_speech((p for p in points if p.length == length), here),
        *partly(scored),
        *several_hosts(scored),
        *at_usual_state(scored),
    ]
    if any(point.judged(ENERGY) is None and ENERGY in point.values for point in scored):
        sentences.append("There is no front of joules where power was not measured.")
    return sentences


def _centre(shown: _Shown, drawn: Sequence[Point]) -> str:
    """Of what latency is the median, and of how many points it is not."""
    if shown.axis is not LATENCY_AXIS:
        return ""
    means = sum(latency_metric(point) != LATENCY for point in drawn)
    but = f", but the mean for {means} of {len(drawn)} points, whose calls are too few for a median"
    return f"Latency is the median of a call's time{but if means else ''}."


def _left_out(shown: _Shown, here: Sequence[Point]) -> str:
    """How many points a figure lacks, whose, and why."""
    asked = [point for point in here if point.batch == 1 or not shown.axis.single]
    lacking = {
        "WER unknown": [point for point in asked if not point.wer_known],
        f"no {shown.noun}": [p for p in asked if p.wer_known and shown.axis.cost(p) is None],
    }
    return " ".join(f"Not drawn, {why}: {_counted(some)}." for why, some in lacking.items() if some)


def _counted(points: Sequence[Point]) -> str:
    """ "wav2vec2 (5 points: random weights have no WER)"."""
    parts = []
    for system, some in grouped(points, lambda point: point.system).items():
        reasons = dict.fromkeys(
            r for point in some if not point.wer_known and (r := point.unavailable.get(WER))
        )
        number = f"{len(some)} point{'s' if len(some) > 1 else ''}"
        parts.append(f"{system} ({': '.join([number, *list(reasons)[:1]])})")
    return ", ".join(parts)


def _nothing(shown: _Shown, here: Sequence[Point]) -> str:
    batch = " at batch 1" if shown.axis.single else ""
    why = f"no point{batch} has both. {_left_out(shown, here)}".strip()
    return f"No front of WER against {shown.noun}: {why}"


def _no_wer(here: Sequence[Point]) -> str:
    if not here:
        return "No point was measured to its end, so there is no front."
    where, left_out = at_length(here[0].length_s), _left_out(_SHOWN[0], here)
    return f"No front: WER is not known of any point, {where}. {left_out}"
