"""Sections of a report as tests read them, and the points that they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.statistics import Interval
from asr_scaling.report.document import Bullets, Cell, Figure, Section, Table, Text
from support.studies import BASE, TINY, WAV2VEC2, Law, study


def points(*laws: Law, **options: Any) -> list[Point]:
    """Of a made-up study; ``options``: its lengths, batches, calls and noise."""
    return named(map(to_point, study(laws or (TINY, BASE, WAV2VEC2), **options)))


def at_usual(point: Point, speed: float, half: float = 0.01) -> Point:
    """``point`` as if at the machine's usual state its calls were ``speed`` times as fast.

    half: half width of the intervals at the usual state, as a share.
    """
    values = {
        "throughput/rtfx": point.values["throughput/rtfx"] * speed,
        "latency/mean_s": point.values["latency/mean_s"] / speed,
    }
    found = {f"usual/{name}": value for name, value in values.items()}
    ends = {name: Interval(value * (1 - half), value * (1 + half)) for name, value in found.items()}
    return replace(point, values={**point.values, **found}, intervals={**point.intervals, **ends})


def tables(section: Section) -> dict[str, Table]:
    return {block.name: block for block in section.blocks if isinstance(block, Table)}


def figures(section: Section) -> dict[str, Figure]:
    return {block.name: block for block in section.blocks if isinstance(block, Figure)}


def words(section: Section) -> str:
    """Paragraphs, then items of lists, a line each."""
    lines = [block.text for block in section.blocks if isinstance(block, Text)]
    return "\n".join(
        [
            *lines,
            *(
                item
                for block in section.blocks
                if isinstance(block, Bullets)
                for item in block.items
            ),
        ]
    )


def row(table: Table, which: int | tuple[str, ...] = 0) -> dict[str, Cell]:
    """Heading → cell, of the row of that number or of the only one that begins with these texts."""
    if isinstance(which, int):
        found = table.rows[which]
    else:
        (found,) = (
            each
            for each in table.rows
            if tuple(cell.text for cell in each.cells[: len(which)]) == which
        )
    return {column.heading: cell for column, cell in zip(table.columns, found.cells, strict=True)}


def column(table: Table, heading: str) -> list[str]:
    """A column's texts; headings are of one column each where a test asks."""
    (place,) = [i for i, each in enumerate(table.columns) if each.heading == heading]
    return [each.cells[place].text for each in table.rows]


def without(found: Iterable[Point], *prefixes: str) -> list[Point]:
    """The points as if no metric whose name begins so had been measured."""
    return [
        replace(
            point,
            values={
                name: value for name, value in point.values.items() if not name.startswith(prefixes)
            },
        )
        for point in found
    ]
