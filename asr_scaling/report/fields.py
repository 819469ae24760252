"""Columns of a table, each with the function that makes its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from asr_scaling.report.cells import words
from asr_scaling.report.document import Cell, Column, Keys, Row, Table

_T = TypeVar("_T")
Field = tuple[Column, Callable[[_T], Cell]]


def field(heading: str, unit: str, show: Callable[[_T], Cell], meaning: str = "") -> Field[_T]:
    """A column of figures."""
    return Column(heading, unit, meaning=meaning), show


def text(heading: str, say: Callable[[_T], str], meaning: str = "") -> Field[_T]:
    """A column of words."""
    return Column(heading, numeric=False, meaning=meaning), lambda thing: words(say(thing))


def field_table(
    name: str,
    caption: str,
    fields: Sequence[Field[_T]],
    things: Iterable[_T],
    *,
    keys: Callable[[_T], Keys],
    notes: Iterable[str] = (),
) -> Table:
    """A table with a row for each of ``things``; ``keys``: what the page's filter knows it by."""
    columns = tuple(column for column, _ in fields)
    rows = tuple(Row(tuple(show(thing) for _, show in fields), keys(thing)) for thing in things)
    return Table(name, caption, columns, rows, tuple(notes))
