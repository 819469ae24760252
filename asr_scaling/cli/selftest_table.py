"""The self-test's result in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.report.console import cell, console, print_line, table
from asr_scaling.selftest.checks import Check

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim"}


def print_checks(checks: Sequence[Check], last: str) -> None:
    """Print a row a check (name, status, figure and advice), then the line ``last``."""
    rows = table(edge=True)
    rows.add_column("check", no_wrap=True)
    rows.add_column("result", no_wrap=True)
    rows.add_column("figure")
    rows.add_column("advice")
    for check in checks:
        status = f"[{_COLOURS[check.status]}]{check.status}[/]"
        rows.add_row(cell(check.name), status, cell(check.figure), cell(check.advice))
    out = console(width=132)
    out.print(rows)
    print_line(out, last)
