"""The self-test's result on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim"}


def print_checks(rows: Sequence[tuple[str, str, str, str]], last: str) -> None:
    """A row a check: name, status, figure and advice; then the line ``last``. On standard output."""
    out = Console(file=sys.stdout)
    out = out if out.is_terminal else Console(file=sys.stdout, width=132)
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("figure")
    table.add_column("advice")
    for name, status, figure, advice in rows:
        table.add_row(escape(name), f"[{_COLOURS[status]}]{status}[/]", escape(figure), escape(advice))
    out.print(table)
    out.print(last, markup=False, highlight=False)
