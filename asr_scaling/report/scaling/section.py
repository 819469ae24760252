"""How cost grows with length, batch and size: laws with intervals and held-out errors."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.caveats import different_speech, partly, several_hosts, several_kinds
from asr_scaling.analysis.laws import JOULES, TIME, batch_laws, length_laws
from asr_scaling.analysis.memory_laws import memory_laws
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.analysis.size_laws import size_laws
from asr_scaling.analysis.usual_state import at_usual_state
from asr_scaling.report.document import Block, Section, Text
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.scaling import batch, figures, length, memory, size


def section(points: Sequence[Point], style: Style) -> Section:
    """Laws over length, batch and size, and memory by batch.

    Figures that need one length are drawn at the report's reference length.
    """
    if not any(point.ok for point in points):
        none = Text("No point was measured to its end: nothing scales yet.")
        return Section("scaling", "How cost grows", (none,))
    length_s = reference_length(points)
    batches, sizes = batch_laws(points), size_laws(points)
    memories = memory_laws(points)
    caveats = [
        *different_speech(points),
        *partly(points),
        *several_kinds(points),
        *several_hosts(points),
        *at_usual_state(points),
    ]
    blocks = (
        Text(" ".join(caveats)) if caveats else None,
        *_length_blocks(points, style),
        *batch.blocks(batches),
        figures.batch_figure([law for law in batches if law.length_s == length_s], style),
        *size.blocks(sizes, length_s),
        figures.size_figure([law for law in sizes if law.length_s == length_s], style),
        *memory.blocks(memories),
        figures.memory_figure([law for law in memories if law.first.length_s == length_s], style),
    )
    return Section("scaling", "How cost grows", tuple(block for block in blocks if block))


def _length_blocks(points: Sequence[Point], style: Style) -> list[Block]:
    times, joules = length_laws(points, TIME), length_laws(points, JOULES)
    blocks = length.introduction(points, times, joules)
    for laws in (times, joules):
        if laws:
            blocks += [figures.length_figure(laws, style), length.table(laws)]
    if times and not joules:
        blocks.append(Text("Energy was not measured in this sweep, so there is no law of joules."))
    if joules and not times:
        blocks.append(Text("Time was not measured in this sweep, so there is no law of seconds."))
    return blocks
