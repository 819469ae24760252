"""A small report with one of everything, and what is dangerous in a page:
for the tests of its renderers."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.report.document import (
    Bullets,
    Cell,
    Column,
    Command,
    Document,
    Figure,
    Row,
    Section,
    Table,
    Text,
)
from asr_scaling.report.output.drawing import FigureBuilder, Style
from support.studies import BASE, TINY, study

EVIL = "</script><script>alert('x')</script> & <b>b</b> | [a](b) \"q\""


def points() -> list[Point]:
    return named(map(to_point, study((TINY, BASE), (5.0, 30.0), (1, 4))))


def table(found: Sequence[Point], name: str = "points") -> Table:
    """A row a point: name, batch, a number that is missing for batch 4."""
    columns = (
        Column("System", numeric=False),
        Column("Batch"),
        Column("Time", "ms", meaning="of a call"),
    )
    rows = []
    for number, point in enumerate(found):
        time = (
            Cell("–", None, "not | measured")
            if point.batch == 4
            else Cell(f"{number}.5 ± 1", number + 0.5)
        )
        rows.append(
            Row((Cell(point.system), Cell(str(point.batch), point.batch), time), point.keys)
        )
    return Table(name, f"All of {name}", columns, tuple(rows), ("A **note** below.",))


def overview() -> Table:
    """Rows about a model, and one about everything."""
    rows = (
        *(Row((Cell(name),), {"model": name}) for name in ("whisper_tiny_en", "whisper_base")),
        Row((Cell("all"),)),
    )
    return Table("overview", "Overview", (Column("Model", numeric=False),), rows)


def figure(found: Sequence[Point], name: str = "time") -> Figure:
    style, builder = Style.of(found), FigureBuilder(name)
    (axes,) = builder.axes
    for system in style.systems:
        here = [point for point in found if point.system == system]
        (line,) = axes.plot(
            [p.length_s for p in here], [p.batch for p in here], color=style.colour(system)
        )
        builder.mark(line, {"model": system})
        for point in here:
            builder.mark(
                axes.plot([point.length_s], [point.batch], "o"), point.keys, f"{point.name} {EVIL}"
            )
    builder.titles(axes, "length (s)", "batch")
    return builder.figure(f"Batch by length: {EVIL}", 'A "figure" <of> points')


def document(*more: Section) -> Document:
    found = points()
    first = (
        Text(f"Use **whisper_base** with `batch=4`. {EVIL}"),
        Bullets(("One **thing**", "1. another")),
        Command("python -m asr_scaling model='a b' && echo <x>"),
        overview(),
    )
    sections = (
        Section("answer", f"Answer {EVIL}", first),
        Section("figures", "Figures", (figure(found), figure(found, "other"))),
        *more,
        Section("points", "All points", (table(found),)),
    )
    return Document(f"Report {EVIL}", "testbench · 8 points", sections)
