"""What every table and line in the terminal shares."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from asr_scaling.util.redact import printable

_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
"""``box.SIMPLE_HEAD`` for a terminal without lines, for which rich draws a border around cells."""


def console(width: int, *, stderr: bool = False) -> Console:
    """A terminal as wide as it is; a file or a pipe of ``width`` columns."""
    out = Console(stderr=stderr)
    return out if out.is_terminal else Console(stderr=stderr, width=width)


def print_line(out: Console, text: str, *, soft_wrap: bool = False) -> None:
    """Print ``text`` as it is: brackets mean nothing, and numbers are not coloured."""
    out.print(printable(text), markup=False, highlight=False, soft_wrap=soft_wrap)


def cell(text: str) -> str:
    """``text`` for a cell of a table, where brackets would mean a style."""
    return escape(printable(text))


def table(*, edge: bool = False, padding: int = 1) -> Table:
    """An empty table with a bold head and no lines between its rows.

    edge: leave a blank around it.
    padding: spaces between two columns.
    """
    lines = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    return Table(
        header_style="bold",
        box=box.SIMPLE_HEAD if lines else _ASCII_HEAD,
        show_edge=edge,
        pad_edge=False,
        collapse_padding=True,
        padding=(0, padding),
    )
