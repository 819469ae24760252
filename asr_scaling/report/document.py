"""A report as values: sections of paragraphs, lists, tables and figures.

Text is plain; only ``**bold**`` and ```code``` are marked up. Outputs escape what they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Keys = Mapping[str, str]
"""What a row or a mark is about, by some of ``FILTERS``; a key that is absent means all of them."""
FILTERS = ("model", "device", "length", "batch")


def attributes(keys: Keys) -> dict[str, str]:
    """What the filter reads on an element of the page: ``data-model`` and so on."""
    return {f"data-{key}": keys[key] for key in FILTERS if key in keys}


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    heading: str
    unit: str = ""
    """Shown below the heading."""
    numeric: bool = True
    """Whether it is aligned right and sorted as numbers."""
    meaning: str = ""
    """A tooltip."""


def word_columns(*headings: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(heading, numeric=False) for heading in headings)


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    """What people read: "518 ± 49"."""
    sort: float | str | None = None
    """What the column is sorted by; None goes last."""
    note: str = ""
    """A tooltip, as the reason why there is no figure."""


@dataclass(frozen=True)
class Row:
    """One cell for every column of its table."""

    cells: tuple[Cell, ...]
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    """A slug, unique in the report."""
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """Lines below it."""


@dataclass(frozen=True)
class Mark:
    """What a drawn thing is about."""

    keys: Keys
    title: str = ""
    """Its tooltip."""


@dataclass(frozen=True)
class Figure:
    """A finished figure."""

    name: str
    """A slug, unique in the report, and the stem of its files."""
    caption: str
    alt: str
    """What it shows, in words."""
    drawing: Drawing
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """Gid of an artist, ``<name>-<number>`` → what it is about, so that the page can hide it."""


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A command line to copy."""

    line: str


Block = Text | Bullets | Command | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    name: str
    """A slug."""
    title: str
    blocks: tuple[Block, ...]
    """In reading order."""


@dataclass(frozen=True)
class Document:
    """A report."""

    title: str
    subtitle: str
    """Machine, date and size of the sweep in one line."""
    sections: tuple[Section, ...]
