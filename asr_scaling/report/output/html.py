"""A report as one page that needs nothing else: style, script, tables and drawings are in it."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_scaling.analysis.format import MISSING
from asr_scaling.report.document import (
    FILTERS,
    Cell,
    Column,
    Document,
    Figure,
    Keys,
    Table,
    attributes,
)
from asr_scaling.report.output.svg import inlined
from asr_scaling.report.output.text_marks import heading, pieces, unmarked

if TYPE_CHECKING:
    from markupsafe import Markup

ALL_POINTS = "points"
"""Name of the table with a row a point, by which the page counts what the filter shows."""
MOST_ROWS = 500
"""Longer tables are data in the page, of which the script shows 200 rows at a time."""
_TALL_ROWS = 24
"""Longer tables scroll in a box of their own, so that their headings stay in sight."""
_ASSETS = Path(__file__).parent / "assets"
_TAGS = {"bold": "strong", "code": "code"}
_NUMBER = re.compile(r"\d+(\.\d+)?")
_UNITS = re.compile(r"(?<=\d) (?=[%×±])|(?<=[±·]) (?=\S)")
"""Spaces at which no line may end."""


def page(document: Document, drawings: Mapping[str, str]) -> str:
    """The text of ``report.html``, which opens from disk and runs no script but its own.

    drawings: name of a figure → its text as ``svg.drawn`` gives it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "data": _data,
        "heading": heading,
        # ElementTree escapes what is in a drawing
        "drawing": lambda figure: Markup(inlined(drawings[figure.name], figure)),
        "keys": attributes,
        "kind": lambda block: type(block).__name__,
        "marked": _marked,
        "order": _order,
        "plain": unmarked,
    }
    script = (_ASSETS / "page.js").read_text(encoding="utf-8")
    return templates.get_template("page.html.j2").render(
        document=document,
        style=Markup((_ASSETS / "page.css").read_text(encoding="utf-8")),  # a file of ours
        script=Markup(script),  # a file of ours
        digest=b64encode(sha256(script.encode()).digest()).decode(),
        filters=[(k, heading(k), some) for k, some in _choices(document).items() if len(some) > 1],
        most_rows=MOST_ROWS,
        tall_rows=_TALL_ROWS,
        all_points=ALL_POINTS,
    )


def _choices(document: Document) -> dict[str, list[str]]:
    """For each filter the values that occur; lengths and batches by size, natural lengths last."""
    occurring = list(_all_keys(document))
    choices = {key: list(dict.fromkeys(k[key] for k in occurring if key in k)) for key in FILTERS}
    return choices | {key: sorted(choices[key], key=_size) for key in ("length", "batch")}


def _all_keys(document: Document) -> Iterator[Keys]:
    """The last section first: all points, in the order they were measured."""
    for section in reversed(document.sections):
        for block in section.blocks:
            if isinstance(block, Table):
                yield from (row.keys for row in block.rows)
            elif isinstance(block, Figure):
                yield from (mark.keys for mark in block.marks.values())


def _size(value: str) -> tuple[bool, float, str]:
    number = _NUMBER.match(value)
    return (number is None, float(number[0]) if number else 0.0, value)


def _marked(text: str) -> Markup:
    """``text`` escaped, its two marks as elements."""
    from markupsafe import Markup, escape

    parts = []
    for kind, piece in pieces(text):
        tag, safe = _TAGS.get(kind), _UNITS.sub("\N{NO-BREAK SPACE}", str(escape(piece)))
        parts.append(f"<{tag}>{safe}</{tag}>" if tag else safe)
    return Markup("".join(parts))  # each piece is escaped


def _order(cell: Cell, column: Column) -> float | str | None:
    """What the script sorts by: words without an order of their own by themselves."""
    if isinstance(cell.sort, float) and not math.isfinite(cell.sort):
        return None
    by_text = cell.sort is None and not column.numeric and cell.text != MISSING
    return cell.text if by_text else cell.sort


def _data(table: Table) -> Markup:
    """A long table for the script: each note and each set of keys is held once."""
    from markupsafe import Markup

    notes: dict[str, int] = {"": 0}
    keys: dict[str, int] = {}
    rows = []
    for row in table.rows:
        about = json.dumps({k: row.keys[k] for k in FILTERS if k in row.keys})
        pairs = zip(row.cells, table.columns, strict=True)
        cells = [_packed(cell, column, notes) for cell, column in pairs]
        rows.append([keys.setdefault(about, len(keys)), cells])
    plain = {"keys": [json.loads(text) for text in keys], "notes": list(notes), "rows": rows}
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # nothing in it can end the script element


def _packed(cell: Cell, column: Column, notes: dict[str, int]) -> Sequence[Any]:
    order = _order(cell, column)
    return [str(_marked(cell.text)), order, notes.setdefault(cell.note, len(notes))]
