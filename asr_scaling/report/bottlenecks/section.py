"""Part 4 of a report: where the time goes, what bounds it, and what to optimise first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
from asr_scaling.report.bottlenecks.offers import offers_tables
from asr_scaling.report.bottlenecks.roofline import roofline_figure
from asr_scaling.report.cells import IDENTITY, as_it_was, figure, identity, missing, number, words
from asr_scaling.report.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Row,
    Section,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.output.drawing import Style
from asr_scaling.util.groups import grouped

_COPIES = "copies, look-ups and allocations"


def section(points: Sequence[Point], style: Style) -> Section:
    """What to optimise first, and the figures and tables that it follows from."""
    pairs, advices = batch_pairs(points, style.systems), advise(points)
    if not points:
        return Section("bottlenecks", "Where the time goes", (Text("There is no point to judge."),))
    blocks: list[Block] = [Bullets(tuple(_bullets(points, advices, style)))]
    if advices:
        rules = Bullets(tuple(f"**{name}**: {rule}" for name, rule in DERIVATIONS.items()))
        blocks += [*offers_tables(advices), _advice_table(advices)]
        blocks += [Text("How these sentences are derived:"), rules]
    shown = [point for pair in pairs for point in pair.points]
    blocks += _stages(pairs, shown, style)
    blocks += _operators(pairs, shown, style)
    blocks += _roofline(pairs, shown, style)
    return Section("bottlenecks", "Where the time goes", tuple(blocks))


def _bullets(points: Sequence[Point], advices: Sequence[Advice], style: Style) -> Iterator[str]:
    groups = grouped(advices, lambda advice: advice.first.point.system)
    present = {point.system for point in points}
    for system in (name for name in style.systems if name in present):
        texts = [" ".join((advice.sentence, *advice.remarks)) for advice in groups.get(system, ())]
        yield from (f"**{system}**: {text}" for text in texts or [nothing(points, system)])


def _advice_table(advices: Iterable[Advice]) -> Table:
    columns = (
        *IDENTITY,
        *word_columns("longest stage"),
        Column("its share", "%", meaning="of the call"),
        Column("at most", "×", meaning="times as fast if the stage cost nothing"),
        Column("MFU", "%", meaning="of the stage, of the machine's measured peak FLOP/s"),
        Column("bandwidth", "%", meaning="of the stage, of the machine's measured copy speed"),
        *word_columns("bound by"),
        Column(
            "silence",
            "%",
            meaning="of the encoder's input, behind the audio up to the window's end",
        ),
        Column("copies", "%", meaning=f"of operator time: {_COPIES}"),
        Column(
            "largest batch", "× RTFx", meaning="RTFx of the largest batch over that of the smallest"
        ),
    )
    caption = "What the sentences are derived from, at the smallest batch"
    rows = tuple(Row(_advice_cells(advice), advice.first.point.keys) for advice in advices)
    notes = ("–: not available; the tooltip, and the record, say why.",)
    return Table("advice", caption, columns, rows, notes)


def _advice_cells(advice: Advice) -> tuple[Cell, ...]:
    first, point = advice.first, advice.first.point
    bound, silence = amdahl(first.share()), padding(point)
    roofed = first.stage in ROOFED
    no_roof = missing("operations of this stage are not counted")
    return (
        *identity(point),
        words(first.stage),
        number(100 * first.share()),
        number(bound) if bound < 1000 else missing("there is next to nothing else"),
        figure(point, f"utilisation/mfu_{first.stage}", 100) if roofed else no_roof,
        figure(point, f"utilisation/membw_{first.stage}", 100) if roofed else no_roof,
        words(first.regime) if roofed else no_roof,
        missing("the model has no window") if silence is None else number(100 * silence),
        figure(point, "ops/memory_share", 100),
        missing("one batch only, or no RTFx") if advice.gain is None else number(advice.gain),
    )


def _stages(pairs: Sequence[BatchPair], shown: Sequence[Point], style: Style) -> list[Block]:
    drawn = stages_figure(pairs, style)
    if drawn is None:
        return [Text("No stage was timed.")]
    names = dict.fromkeys(stage for point in shown for stage in stage_seconds(point))
    metrics = {"call": "latency/mean_s"} | {name: f"stage/{name}_s" for name in names}
    caption = "Stages of a call at the smallest and the largest batch"
    notes = (
        "Means over calls, ± the larger half of the 95 % interval. A call holds a whole batch.",
        "“other” is what no stage claims.",
    )
    return [drawn, _metrics_table("stages", caption, metrics, "ms", shown, notes=notes)]


def _operators(pairs: Sequence[BatchPair], shown: Sequence[Point], style: Style) -> list[Block]:
    drawn = operators_figure(pairs, style)
    if drawn is None:
        none = "No operator was traced: profiler=all does it, where the engine runs on torch."
        return [Text(none)]
    metrics = {name: f"ops/{name}_share" for name in CLASSES}
    caption = "Share of operator time at the smallest and the largest batch"
    traced = [point for point in shown if class_shares(point)]
    notes = (
        "One call under torch's profiler, which slows small operators down more than large ones.",
    )
    table = _metrics_table("operators", caption, metrics, "%", traced, notes=notes)
    return [drawn, table, *_encoder(shown)]


def _metrics_table(
    name: str,
    caption: str,
    metrics: Mapping[str, str],
    unit: str,
    points: Iterable[Point],
    *,
    notes: tuple[str, ...],
) -> Table:
    """``metrics``: heading → metric."""
    factor = 1e3 if unit == "ms" else 100
    columns = (*IDENTITY, *(Column(heading, unit) for heading in metrics))
    rows = tuple(
        Row((*identity(p), *(as_it_was(p, metric, factor) for metric in metrics.values())), p.keys)
        for p in points
    )
    return Table(name, caption, columns, rows, notes)


def _encoder(shown: Sequence[Point]) -> list[Block]:
    columns = (
        *IDENTITY,
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
        Column("copies", "%", meaning=f"of its time: {_COPIES}"),
        Column("other", "%", meaning="of its time: activations and other operators"),
        Column(
            "Python", "%", meaning="of its time, between operators; on a GPU the queue hides it"
        ),
    )
    rows = tuple(
        Row((*identity(point), *map(number, _encoder_values(time))), point.keys)
        for point in shown
        if (time := encoder_time(point))
    )
    caption = "Where the encoder's time goes"
    notes = (
        "Shares of time are of one call under torch's profiler; the MFU is of the timed calls.",
    )
    return [Table("encoder", caption, columns, rows, notes)] if rows else []


def _encoder_values(time: EncoderTime) -> tuple[float, ...]:
    classes = ("normalisation", "memory", "other", "python")
    rest = [100 * time.parts.get(name, 0.0) for name in classes]
    return (100 * time.mfu, time.slower, 100 * time.products, 100 * time.rate, *rest)


def _roofline(pairs: Sequence[BatchPair], shown: Sequence[Point], style: Style) -> list[Block]:
    drawn = roofline_figure(pairs, style)
    if drawn is None:
        unavailable = [point.unavailable.get("utilisation/mfu") for point in shown]
        why = next((f" ({reason})" for reason in unavailable if reason is not None), "")
        none = "No roofline: no point has both FLOPs and peaks. profiler=all measures them, "
        return [Text(f"{none}where the engine runs on torch{why}.")]
    columns = (
        *IDENTITY,
        *word_columns("stage"),
        Column("intensity", "FLOP/B"),
        Column("ridge", "FLOP/B"),
        *word_columns("lower roof"),
        Column("MFU", "%"),
        Column("bandwidth", "%"),
        Column("peak", "GFLOP/s"),
        Column("copy", "GB/s"),
    )
    rows = tuple(
        Row((*identity(point), *_place(point, stage)), point.keys)
        for point in shown
        for stage in ROOFED
        if {f"roofline/{stage}_intensity", f"utilisation/mfu_{stage}"} & point.values.keys()
    )
    return [drawn, Table("roofline", "Encoder and decoding steps in the roofline", columns, rows)]


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
