"""Part 4 of a report: where the time goes, what bounds it, and what to optimise first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from asr_scaling.analysis.bottlenecks.advice import Advice, advise, nothing
from asr_scaling.analysis.bottlenecks.batch_pairs import BatchPair, batch_pairs
from asr_scaling.analysis.bottlenecks.diagnosis import (
    CLASSES,
    DERIVATIONS,
    ROOFED,
    amdahl,
    class_shares,
    padding,
    stage_seconds,
)
from asr_scaling.analysis.bottlenecks.encoder import EncoderTime, encoder_time
from asr_scaling.analysis.points import Point
from asr_scaling.report.bottlenecks.figures import operators_figure, stages_figure
from asr_scaling.report.bottlenecks.roofline import roofline_figure
from asr_scaling.report.cells import batch_cell, figure, length_cell, missing, number, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Row, Section, Table, Text
from asr_scaling.report.output.drawing import Style

_POINT = (
    Column("system", numeric=False),
    Column("device", numeric=False),
    Column("length", "s"),
    Column("batch"),
)
_UNPLACED = (
    "No roofline: no point has both FLOPs and peaks. profiler=all measures them, "
    "where the engine runs on torch"
)


def section(points: Sequence[Point], style: Style) -> Section:
    """What to optimise first, and the figures and tables that it follows from."""
    found, said = batch_pairs(points, style.systems), advise(points)
    if not points:
        return Section("bottlenecks", "What to optimise", (Text("There is no point to judge."),))
    blocks: list[Block] = [Bullets(tuple(_bullets(points, said, style)))]
    if said:
        blocks.append(_advice_table(said))
        blocks.append(Text("How these sentences are derived:"))
        blocks.append(Bullets(tuple(f"**{each.name}**: {each.says}" for each in DERIVATIONS)))
    shown = [point for pair in found for point in pair.points]
    blocks += _stages(found, shown, style)
    blocks += _operators(found, shown, style)
    blocks += _roofline(found, shown, style)
    return Section("bottlenecks", "What to optimise", tuple(blocks))


def _bullets(points: Sequence[Point], said: Sequence[Advice], style: Style) -> Iterator[str]:
    present = {point.system for point in points}
    for system in (each for each in style.systems if each in present):
        its = [each for each in said if each.first.point.system == system]
        texts = [" ".join((each.sentence, *each.remarks)) for each in its] or [
            nothing(points, system)
        ]
        yield from (f"**{system}**: {text}" for text in texts)


def _advice_table(said: Iterable[Advice]) -> Table:
    columns = (
        *_POINT,
        Column("longest stage", numeric=False),
        Column("its share", "%", meaning="of the call"),
        Column("at most", "×", meaning="times as fast if the stage cost nothing"),
        Column("MFU", "%", meaning="of the stage, of the machine's measured peak FLOP/s"),
        Column("bandwidth", "%", meaning="of the stage, of the machine's measured copy speed"),
        Column("bound by", numeric=False),
        Column(
            "silence",
            "%",
            meaning="of the encoder's input, behind the audio up to the window's end",
        ),
        Column("copies", "%", meaning="of operator time: copies, look-ups and allocations"),
        Column(
            "largest batch", "× RTFx", meaning="RTFx of the largest batch over that of the smallest"
        ),
    )
    return Table(
        "advice",
        "What the sentences are derived from, at the smallest batch",
        columns,
        tuple(Row(_advice_cells(each), each.first.point.keys) for each in said),
        ("–: not available; the tooltip, and the record, say why.",),
    )


def _advice_cells(each: Advice) -> tuple[Cell, ...]:
    first, point = each.first, each.first.point
    bound, silence = amdahl(first.share()), padding(point)
    roofed = first.stage in ROOFED
    no_roof = missing("operations of this stage are not counted")
    return (
        *_identity(point),
        words(first.stage),
        number(100 * first.share()),
        number(bound) if bound < 1000 else missing("there is next to nothing else"),
        figure(point, f"utilisation/mfu_{first.stage}", 100) if roofed else no_roof,
        figure(point, f"utilisation/membw_{first.stage}", 100) if roofed else no_roof,
        words(first.regime) if roofed else no_roof,
        missing("the model has no window") if silence is None else number(100 * silence),
        figure(point, "ops/memory_share", 100),
        missing("one batch only, or no RTFx") if each.gain is None else number(each.gain),
    )


def _stages(found: Sequence[BatchPair], shown: Sequence[Point], style: Style) -> list[Block]:
    drawn = stages_figure(found, style)
    if drawn is None:
        return [Text("No stage was timed.")]
    names = list(dict.fromkeys(stage for point in shown for stage in stage_seconds(point)))
    columns = (*_POINT, Column("call", "ms"), *(Column(name, "ms") for name in names))
    rows = _rows(shown, ("latency/mean_s", *(f"stage/{name}_s" for name in names)), 1e3)
    notes = (
        "Means over calls, ± the larger half of the 95 % interval. A call holds a whole batch.",
        "“other” is what no stage claims.",
    )
    return [
        drawn,
        Table(
            "stages", "Stages of a call at the smallest and the largest batch", columns, rows, notes
        ),
    ]


def _operators(found: Sequence[BatchPair], shown: Sequence[Point], style: Style) -> list[Block]:
    drawn = operators_figure(found, style)
    if drawn is None:
        return [
            Text("No operator was traced: profiler=all does it, where the engine runs on torch.")
        ]
    columns = (*_POINT, *(Column(name, "%") for name in CLASSES))
    rows = _rows(
        [p for p in shown if class_shares(p)], [f"ops/{name}_share" for name in CLASSES], 100
    )
    notes = (
        "One call under torch's profiler, which slows small operators down more than large ones.",
    )
    whole = Table(
        "operators",
        "Share of operator time at the smallest and the largest batch",
        columns,
        rows,
        notes,
    )
    return [drawn, whole, *_encoder(shown)]


def _encoder(shown: Sequence[Point]) -> list[Block]:
    times = [(point, time) for point in shown if (time := encoder_time(point)) is not None]
    if not times:
        return []
    columns = (
        *_POINT,
        Column(
            "MFU", "%", meaning="of the encoder, of the machine's measured peak FLOP/s in its dtype"
        ),
        Column(
            "traced",
            "× timed",
            meaning="the encoder's time under torch's profiler over that of the timed calls",
        ),
        Column("products", "%", meaning="of its time: matrix products, attention and convolutions"),
        Column(
            "at", "% of peak", meaning="FLOP/s of these products while they run, in the traced call"
        ),
        Column("normalisation", "%", meaning="of its time, softmax outside attention included"),
        Column("copies", "%", meaning="of its time: copies, look-ups and allocations"),
        Column("other", "%", meaning="of its time: activations and other operators"),
        Column(
            "Python", "%", meaning="of its time, between operators; on a GPU the queue hides it"
        ),
    )
    rows = tuple(
        Row((*_identity(point), *map(number, _encoder_values(time))), point.keys)
        for point, time in times
    )
    notes = (
        "Shares of time are of one call under torch's profiler; the MFU is of the timed calls.",
    )
    return [Table("encoder", "Where the encoder's time goes", columns, rows, notes)]


def _encoder_values(time: EncoderTime) -> tuple[float, ...]:
    rest = [
        100 * time.parts.get(name, 0.0) for name in ("normalisation", "memory", "other", "python")
    ]
    return (100 * time.mfu, time.slower, 100 * time.products, 100 * time.rate, *rest)


def _roofline(found: Sequence[BatchPair], shown: Sequence[Point], style: Style) -> list[Block]:
    drawn = roofline_figure(found, style)
    if drawn is None:
        return [Text(f"{_UNPLACED}{_reason(shown)}.")]
    columns = (
        *_POINT,
        Column("stage", numeric=False),
        Column("intensity", "FLOP/B"),
        Column("ridge", "FLOP/B"),
        Column("lower roof", numeric=False),
        Column("MFU", "%"),
        Column("bandwidth", "%"),
        Column("peak", "GFLOP/s"),
        Column("copy", "GB/s"),
    )
    rows = tuple(
        Row((*_identity(point), *_place(point, stage)), point.keys)
        for point in shown
        for stage in ROOFED
        if f"roofline/{stage}_intensity" in point.values
        or f"utilisation/mfu_{stage}" in point.values
    )
    return [drawn, Table("roofline", "Encoder and decoding steps in the roofline", columns, rows)]


def _reason(shown: Sequence[Point]) -> str:
    reasons = [
        p.unavailable[name] for p in shown for name in ("utilisation/mfu",) if name in p.unavailable
    ]
    return f" ({reasons[0]})" if reasons else ""


def _place(point: Point, stage: str) -> tuple[Cell, ...]:
    roof = point.tags.get(f"roofline/{stage}")
    return (
        words(stage),
        figure(point, f"roofline/{stage}_intensity"),
        figure(point, "roofline/ridge"),
        words(roof) if roof else missing("the intensity is not known"),
        figure(point, f"utilisation/mfu_{stage}", 100),
        figure(point, f"utilisation/membw_{stage}", 100),
        figure(point, "peak/flop_per_s", 1e-9),
        figure(point, "peak/byte_per_s", 1e-9),
    )


def _rows(points: Iterable[Point], metrics: Sequence[str], factor: float) -> tuple[Row, ...]:
    return tuple(
        Row((*_identity(p), *(figure(p, name, factor) for name in metrics)), p.keys) for p in points
    )


def _identity(point: Point) -> tuple[Cell, ...]:
    return (
        words(point.system),
        words(point.device, point.hardware),
        length_cell(point),
        batch_cell(point),
    )
