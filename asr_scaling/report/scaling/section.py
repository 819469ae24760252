"""How cost grows with length, batch and size: laws with intervals, each with its errors on what was
held out.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.caveats import different_speech, partly, several_hosts, several_kinds
from asr_scaling.analysis.laws import JOULES, TIME, batch_laws, length_laws
from asr_scaling.analysis.memory_laws import memory_laws
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.analysis.size_laws import size_laws
from asr_scaling.report.document import Block, Section, Text
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.scaling import batch, figures, length, memory, size


def section(points: Sequence[Point], style: Style) -> Section:
    """Laws over length, batch and size, and memory by batch; what can't be said for want of points
    ends in a sentence.

    Figures that need one length are drawn at the report's reference length.
    """
    if not any(point.ok for point in points):
        return Section(
            "scaling",
            "How cost grows",
            (Text("No point was measured to its end: nothing scales yet."),),
        )
    length_s = reference_length(points)
    said = [
        *different_speech(points),
        *partly(points),
        *several_kinds(points),
        *several_hosts(points),
    ]
    blocks: list[Block] = [
        *([Text(" ".join(said))] if said else []),
        *_length_blocks(points, style),
        *_batch_blocks(points, style, length_s),
        *_size_blocks(points, style, length_s),
        *_memory_blocks(points, style, length_s),
    ]
    return Section("scaling", "How cost grows", tuple(blocks))


def _length_blocks(points: Sequence[Point], style: Style) -> list[Block]:
    times, joules = length_laws(points, TIME), length_laws(points, JOULES)
    found = length.introduction(points, times, joules)
    for laws in (times, joules):
        if laws:
            found += [figures.length_figure(laws, style), length.table(laws)]
    if times and not joules:
        found.append(Text("Energy was not measured in this sweep, so there is no law of joules."))
    if joules and not times:
        found.append(Text("Time was not measured in this sweep, so there is no law of seconds."))
    return found


def _batch_blocks(points: Sequence[Point], style: Style, length_s: float | None) -> list[Block]:
    laws = batch_laws(points)
    figure = figures.batch_figure([law for law in laws if law.length_s == length_s], style)
    return [*batch.blocks(laws), *([figure] if figure else [])]


def _size_blocks(points: Sequence[Point], style: Style, length_s: float | None) -> list[Block]:
    laws = size_laws(points)
    figure = figures.size_figure([law for law in laws if law.length_s == length_s], style)
    return [*size.blocks(laws, length_s), *([figure] if figure else [])]


def _memory_blocks(points: Sequence[Point], style: Style, length_s: float | None) -> list[Block]:
    laws = memory_laws(points)
    figure = figures.memory_figure([law for law in laws if law.first.length_s == length_s], style)
    return [*memory.blocks(laws), *([figure] if figure else [])]
