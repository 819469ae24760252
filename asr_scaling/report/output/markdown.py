"""A report as GitHub-flavoured Markdown, its figures as files beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from asr_scaling.analysis.format import MISSING
from asr_scaling.report.document import (
    Block,
    Bullets,
    Command,
    Document,
    Figure,
    Section,
    Table,
    Text,
)
from asr_scaling.report.output.text_marks import heading, pieces

MOST_ROWS = 500
"""Longer tables are cut, which is said: no viewer of Markdown shows them whole."""
_SPECIAL = re.compile(r"[\\`*\[\]<&~$]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would act on; an underscore within a word is none."""
_TICKS = re.compile(r"`+")
_OPENING = re.compile(r"^(\d*)([#>+=.)-])")
"""What would make a line a heading, a quotation or an item."""


def markdown(document: Document) -> str:
    """The text of ``report.md``; figures are looked for in ``figures/<name>.svg`` and ``.png``."""
    contents = "\n".join(
        f"- [{_inline(section.title)}](#{section.name})" for section in document.sections
    )
    head = [f"# {_inline(document.title)}", _line(document.subtitle), contents]
    parts = (part for section in document.sections for part in _section(section))
    return "\n\n".join([*head, *parts]) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f'<a id="{section.name}"></a>'
    yield f"## {_inline(section.title)}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield _line(text)
        case Bullets(items):
            yield "\n".join(f"- {_line(item)}" for item in items)
        case Command(line):
            fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(line)), default=0))
            yield f"{fence}sh\n{line}\n{fence}"
        case Table():
            yield from _table(block)
        case Figure():
            yield f"![{_inline(block.alt)}](figures/{block.name}.svg)"
            yield f"{_line(block.caption)} ([png](figures/{block.name}.png))"


def _table(table: Table) -> Iterator[str]:
    yield f"**{_inline(table.caption, bold=False)}**"
    heads = [
        heading(column.heading) + (f" ({column.unit})" if column.unit else "")
        for column in table.columns
    ]
    rules = ["---:" if column.numeric else ":---" for column in table.columns]
    rows = [[_cell(cell.text) for cell in row.cells] for row in table.rows[:MOST_ROWS]]
    lines = [[_cell(text) for text in heads], rules, *rows]
    yield "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    notes = list(dict.fromkeys(_notes(table)))
    if notes:
        yield "\n".join(f"- {_line(note)}" for note in notes)


def _notes(table: Table) -> Iterator[str]:
    """What stands below a table: notes, meanings of columns, and reasons of missing figures."""
    yield from table.notes
    left = len(table.rows) - MOST_ROWS
    if left > 0:
        yield f"{left:,} more rows are in the page and in metrics.csv."
    described = [column for column in table.columns if column.meaning]
    yield from (
        f"{heading(column.heading)}: {column.meaning.removesuffix('.')}." for column in described
    )
    cells = (cell for row in table.rows for cell in row.cells)
    reasons = Counter(cell.note for cell in cells if cell.note and cell.text == MISSING)
    for note, count in reasons.items():
        yield f"{MISSING}: {note}" + (f" ({count} cells)" if count > 1 else "")


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")  # a pipe ends a cell even within code


def _line(text: str) -> str:
    return _OPENING.sub(r"\1\\\2", _inline(text))


def _inline(text: str, *, bold: bool = True) -> str:
    """One line: what would be read as Markdown or HTML is escaped, the two marks are kept."""
    escaped = []
    for kind, piece in pieces(" ".join(text.split())):
        if kind == "code":
            escaped.append(f"`{piece}`")
        else:
            mark = "**" if kind == "bold" and bold else ""
            escaped.append(mark + _SPECIAL.sub(r"\\\g<0>", piece) + mark)
    return "".join(escaped)
