"""A report as values: sections of paragraphs, lists, tables and figures. Pages and files are made of these elsewhere.

Text is plain; only ``**bold**`` and ```code``` are marked up. Whatever comes from records is escaped where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Keys = Mapping[str, str]
"""What a row or a mark is about, for the page's filter: any of model, device, length and batch. A key that is absent
means "all of them"."""
FILTERS = ("model", "device", "length", "batch")


def attributes(keys: Keys) -> dict[str, str]:
    """What the filter reads on an element of the page: ``data-model`` and so on."""
    return {f"data-{key}": keys[key] for key in FILTERS if key in keys}


@dataclass(frozen=True)
class Column:
    """``unit``: shown below the heading. ``numeric``: aligned right and sorted as numbers. ``meaning``: a tooltip."""

    heading: str
    unit: str = ""
    numeric: bool = True
    meaning: str = ""


@dataclass(frozen=True)
class Cell:
    """``text``: what people read ("518 ± 49"). ``sort``: what the column is sorted by, None goes last.

    ``note``: a tooltip, as the reason why there is no figure.
    """

    text: str
    sort: float | str | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One cell for every column of its table."""

    cells: tuple[Cell, ...]
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """``name``: a slug, unique in the report. ``notes``: lines below it."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """What a drawn thing is about: ``title`` is its tooltip."""

    keys: Keys
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """``name``: a slug, unique in the report, and the stem of its files. ``alt``: what it shows, in words.

    ``marks``: gid of an artist → what it is about, so that the page can hide it. The gid is ``<name>-<number>``.
    """

    name: str
    caption: str
    alt: str
    drawing: Drawing
    marks: Mapping[str, Mark] = field(default_factory=dict)


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
    """``name``: a slug. ``blocks`` in reading order."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """``subtitle``: machine, date and size of the sweep in one line."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
