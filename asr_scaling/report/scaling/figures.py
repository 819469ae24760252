"""The figures of scaling: cost over length and size, speed-up and memory over batch."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import NoFit, prediction, quotient_interval
from asr_scaling.analysis.format import at_length, plain
from asr_scaling.analysis.laws import TIME, BatchLaw, LengthLaw
from asr_scaling.analysis.memory_laws import MemoryLaw
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.size_laws import (
    ALL,
    FLOPS,
    JOULES,
    PARAMETERS,
    SECONDS,
    Cost,
    Measure,
    SizeLaw,
)
from asr_scaling.report.document import Figure
from asr_scaling.report.output.axes_style import CROWDED, StyledAxes, Value, between, value_of
from asr_scaling.report.output.drawing import PALE, FigureBuilder, Style

_BEYOND_S = 1e-3
"""How far beyond the end of a window the next one is drawn."""
_PANELS = 4
_BATCH = "batch size (utterances in a call)"


def length_figure(laws: Sequence[LengthLaw], style: Style) -> Figure:
    """Cost over length, a panel for the smallest and one for the largest batch with a curve."""
    quantity = laws[0].quantity
    curves = {law.batch for law in laws if len(law.points) > 1} or {law.batch for law in laws}
    panels = sorted({min(curves), max(curves)})
    height = 3.5 * len(panels)
    builder = FigureBuilder(f"length-{quantity.name}-curves", 1, len(panels), height)
    markers = sum(len(law.points) for law in laws if law.batch in panels) <= CROWDED
    for axes, batch in zip(builder.axes, panels, strict=True):
        shown = [law for law in laws if law.batch == batch]
        points = [point for law in shown for point in law.points]
        styled = StyledAxes(builder, axes, style)
        lengths = [point.length_s or point.audio_s for point in points]
        styled.scale("x", [(point.audio_s, None) for point in points], at=lengths)
        styled.scale("y", [value_of(point, quantity.metric) for point in points])
        cost = f"{quantity.noun} per utterance ({quantity.unit})"
        builder.titles(axes, "audio length (s)", cost, f"batch {batch}")
        for law in shown:
            _draw_length(styled, law, markers)
        styled.write()
    what = f"{quantity.noun.capitalize()} of an utterance against its length"
    if quantity is not TIME and any(point.estimated for law in laws for point in law.points):
        what += ", estimated"
    caption = (
        f"{what}: means with intervals of 95 %, and the fitted laws, with a step where a model "
        "begins another window. Both axes are logarithmic."
        f"{_badly([law for law in laws if law.batch in panels])}"
    )
    batches = " and ".join(map(str, panels))
    return builder.figure(caption, f"{what}: a curve for each system, at batch {batches}.")


def _draw_length(styled: StyledAxes, law: LengthLaw, markers: bool) -> None:
    metric, unit = law.quantity.metric, law.quantity.unit
    for point in law.points if markers else ():
        value = value_of(point, metric)
        styled.point(point, (point.audio_s, None), value, f"{point.name}: {plain(value[0])} {unit}")
    last = law.points[-1]
    end = value_of(last, metric)[0]
    if not isinstance(law.fit, NoFit):
        xs = between([point.audio_s for point in law.points])
        if law.window_s:
            edges = [law.window_s * k for k in range(1, int(xs[-1] / law.window_s) + 1)]
            ends = [(edge, edge + beyond) for edge in edges for beyond in (0, _BEYOND_S)]
            xs = sorted([*xs, *(end for edge, end in ends if xs[0] <= edge and end <= xs[-1])])
        path = [(x, y) for x in xs if (y := law.fit.predict(law.row(x))) > 0]
        about = {"model": law.system, "device": law.device, "batch": str(law.batch)}
        title, colour = f"law of {law.system}, batch {law.batch}", styled.style.colour(law.system)
        styled.line(path, colour, device=law.device, keys=about, title=title)
        end = path[-1][1] if path else end
    styled.name(last.audio_s, end, law.system, law.device)


def _badly(laws: Sequence[LengthLaw | BatchLaw]) -> str:
    bad = sorted({f"{law.system} ({law.device})" for law in laws if prediction(law.fit) == "badly"})
    return f" Curves that predict badly, though drawn: {', '.join(bad)}." if bad else ""


def batch_figure(laws: Sequence[BatchLaw], style: Style) -> Figure | None:
    """Speed-up over batch size, for laws of one length; None where none has batch 1 and another."""
    shown = [law for law in laws if law.single and law.points[-1].batch > 1]
    if not shown:
        return None
    builder = FigureBuilder("batch-speed-up")
    styled = StyledAxes(builder, builder.axes[0], style)
    drawn = [
        (point, _speed_up(law.single, point)) for law in shown if law.single for point in law.points
    ]
    sizes = [float(point.batch) for point, _ in drawn]
    styled.scale("x", [(size, None) for size in sizes], at=sizes)
    styled.scale("y", [value for _, value in drawn])
    builder.titles(styled.axes, _BATCH, "speed-up per utterance over batch 1 (×)")
    styled.axes.axhline(1.0, color=PALE, linewidth=1.0, zorder=1)
    for point, value in drawn if len(drawn) <= CROWDED else ():
        title = f"{point.name}: {plain(value[0])} times as fast as batch 1"
        styled.point(point, (point.batch, None), value, title)
    ends = {(point.system, point.device): value[0] for point, value in drawn}
    for law in shown:
        about = {"model": law.system, "device": law.device, "length": law.length}
        colour, title = style.colour(law.system), f"law of {law.system}"
        styled.line(_batch_path(law), colour, device=law.device, keys=about, title=title)
        styled.name(law.points[-1].batch, ends[law.system, law.device], law.system, law.device)
    styled.write()
    what = f"Time per utterance at batch 1 over that at batch B, {at_length(shown[0].length_s)}"
    caption = (
        f"{what}: measured, with intervals of 95 %, and by the law t(B) = c + m · B. Below 1 a "
        f"batch is slower than single calls. Both axes are logarithmic.{_badly(shown)}"
    )
    return builder.figure(caption, f"{what}: a curve for each system.")


def _batch_path(law: BatchLaw) -> list[tuple[float, float]]:
    if isinstance(law.fit, NoFit):
        return []
    c, m = law.fit.coefficients
    xs = between([point.batch for point in law.points])
    return [(x, (c + m) / (c / x + m)) for x in xs if c + m > 0 and c / x + m > 0]


def _speed_up(single: Point, point: Point) -> Value:
    (a, of_a), (b, of_b) = value_of(single, TIME.metric), value_of(point, TIME.metric)
    return a / b, None if point is single else quotient_interval(a, of_a, b, of_b)


def size_figure(laws: Sequence[SizeLaw], style: Style) -> Figure | None:
    """Both costs over both measures of size, for laws of one length; None for a single model."""
    shown = [law for law in laws if law.family == ALL and len(law.models) > 1]
    costs = [cost for cost in (SECONDS, JOULES) if any(law.cost is cost for law in shown)]
    measures = [
        measure for measure in (FLOPS, PARAMETERS) if any(law.measure is measure for law in shown)
    ]
    if not shown:
        return None
    builder = FigureBuilder("size-curves", len(measures), len(costs), height=3.4 * len(costs))
    grid = [(cost, measure) for cost in costs for measure in measures]
    for axes, (cost, measure) in zip(builder.axes, grid, strict=True):
        panel = [law for law in shown if law.cost is cost and law.measure is measure]
        styled = StyledAxes(builder, axes, style)
        _draw_sizes(styled, panel, cost, measure)
        if measure is measures[-1]:
            styled.write()  # colours and places say the same in the other column
    estimated = JOULES in costs and any(point.estimated for law in shown for point in law.points)
    where = at_length(shown[0].length_s)
    what = f"What a second of audio costs against the size of the model, batch 1, {where}"
    caption = (
        f"{what}: with intervals of 95 %, and fitted power laws; how well they hold is in the "
        f"table. {'Joules are estimated. ' if estimated else ''}All axes are logarithmic."
    )
    names = " and by ".join(measure.name for measure in measures)
    return builder.figure(caption, f"{what}: a point for each system, by {names}.")


def _draw_sizes(styled: StyledAxes, laws: Sequence[SizeLaw], cost: Cost, measure: Measure) -> None:
    drawn = [
        (p, (measure.of(p) or 0.0) * measure.factor, cost.of(p) or 0.0)
        for law in laws
        for p in law.points
    ]
    if not drawn:
        return
    styled.scale("x", [(x, None) for _, x, _ in drawn])
    styled.scale("y", [(y, cost.interval(point)) for point, _, y in drawn])
    cost_label = f"{cost.name} per audio second ({cost.unit})"
    styled.builder.titles(styled.axes, f"{measure.name} ({measure.unit})", cost_label)
    crowded = len(drawn) > CROWDED / _PANELS
    for point, x, y in () if crowded else drawn:
        title = f"{point.name}: {plain(y)} {cost.unit} per second of audio"
        styled.point(point, (x, None), (y, cost.interval(point)), title)
    for point, x, y in drawn:
        styled.name(x, y, point.system, point.device)
    for law in laws:
        about = {"device": law.device, "length": law.points[0].length, "batch": "1"}
        if crowded:
            dots = [(x, y) for point, x, y in drawn if point.device == law.device]
            title = f"{len(dots)} systems on {law.device}"
            styled.cloud(dots, device=law.device, keys=about, title=title)
        if not isinstance(law.fit, NoFit):
            xs = between([measure.of(point) or 0.0 for point in law.points])
            path = [(x * measure.factor, law.fit.predict(x)) for x in xs]
            title = f"power law, exponent {plain(law.fit.exponent)}"
            styled.line(path, PALE, device=law.device, keys=about, title=title)


def memory_figure(laws: Sequence[MemoryLaw], style: Style) -> Figure | None:
    """Peak memory over batch size, for laws of one length; None where none has two batches."""
    shown = [law for law in laws if len({batch for batch, _ in law.peaks}) > 1]
    if not shown:
        return None
    builder = FigureBuilder("memory-curves")
    styled = StyledAxes(builder, builder.axes[0], style)
    peaks = [peak for law in shown for peak in law.peaks]
    styled.scale("x", [(batch, None) for batch, _ in peaks], at=[batch for batch, _ in peaks])
    styled.scale("y", [(peak * 1e-6, None) for _, peak in peaks])
    builder.titles(styled.axes, _BATCH, "peak memory (MB)")
    for law in shown:
        system, device = law.first.system, law.first.device
        colour = style.colour(system)
        for batch, peak in law.peaks if len(peaks) <= CROWDED else ():
            mb, marker = peak * 1e-6, style.marker(system)
            dots = styled.axes.plot(batch, mb, marker, color=colour, markersize=5)
            title = f"{system}, batch {batch}: {plain(mb)} MB"
            builder.mark(dots, {**law.keys, "batch": str(batch)}, title)
        if not isinstance(law.fit, NoFit):
            xs = between([batch for batch, _ in law.peaks])
            path = [(x, y) for x in xs if (y := law.fit.predict((1.0, x)) * 1e-6) > 0]
            styled.line(path, colour, device=device, keys=law.keys, title=f"line of {system}")
        styled.name(law.peaks[-1][0], law.peaks[-1][1] * 1e-6, system, device, law.counted)
    styled.write()
    what = f"Peak memory against batch size, {at_length(shown[0].first.length_s)}"
    caption = f"{what}: measured, and the fitted line, which is bent by the logarithmic axes."
    return builder.figure(caption, f"{what}: a curve for each system.")
