"""The self-test's result on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from asr_scaling.selftest import Check

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim"}


def print_checks(checks: Sequence[Check], last: str) -> None:
    """A row a check: name, status, figure and advice; then the line ``last``. On standard output."""
    out = Console(file=sys.stdout)
    out = out if out.is_terminal else Console(file=sys.stdout, width=132)
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("figure")
    table.add_column("advice")
    for each in checks:
        status = f"[{_COLOURS[each.status]}]{each.status}[/]"
        table.add_row(escape(each.name), status, escape(each.figure), escape(each.advice))
    out.print(table)
    out.print(last, markup=False, highlight=False)
