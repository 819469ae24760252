"""How cost grows with length, batch and size: laws with intervals, each with its errors on what was held out."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.report import scaling_batch, scaling_figures, scaling_length, scaling_memory, sizes
from asr_scaling.report.document import Block, Section, Text
from asr_scaling.report.drawing import Style
from asr_scaling.report.laws import ENERGY, TIME, batch_laws, length_laws
from asr_scaling.report.points import Point
from asr_scaling.report.reference import reference_length


def section(points: Sequence[Point], style: Style) -> Section:
    """Laws over length, batch and size, and memory by batch; what can't be said for want of points ends in a sentence.

    Figures that need one length are drawn at the report's reference length.
    """
    if not any(point.ok for point in points):
        return Section("scaling", "How cost grows", (Text("No point was measured to its end: nothing scales yet."),))
    length_s = reference_length(points)
    blocks = [
        *_length_blocks(points, style),
        *_batch_blocks(points, style, length_s),
        *_size_blocks(points, style, length_s),
        *_memory_blocks(points, style, length_s),
    ]
    return Section("scaling", "How cost grows", tuple(blocks))


def _length_blocks(points: Sequence[Point], style: Style) -> list[Block]:
    times, joules = length_laws(points, TIME), length_laws(points, ENERGY)
    found = scaling_length.introduction(points, times, joules)
    for laws in (times, joules):
        if laws:
            found += [scaling_figures.length_figure(laws, style), scaling_length.table(laws)]
    if times and not joules:
        found.append(Text("Energy was not measured in this sweep, so there is no law of joules."))
    return found


def _batch_blocks(points: Sequence[Point], style: Style, length_s: float | None) -> list[Block]:
    laws = batch_laws(points)
    figure = scaling_figures.batch_figure([law for law in laws if law.length_s == length_s], style)
    return [*scaling_batch.blocks(laws), *([figure] if figure else [])]


def _size_blocks(points: Sequence[Point], style: Style, length_s: float | None) -> list[Block]:
    laws = sizes.size_laws(points)
    figure = scaling_figures.size_figure([law for law in laws if law.length_s == length_s], style)
    return [*sizes.blocks(laws, length_s), *([figure] if figure else [])]


def _memory_blocks(points: Sequence[Point], style: Style, length_s: float | None) -> list[Block]:
    laws = scaling_memory.memory_laws(points)
    figure = scaling_figures.memory_figure([law for law in laws if law.first.length_s == length_s], style)
    return [*scaling_memory.blocks(laws), *([figure] if figure else [])]
