"""Comparisons in the terminal: one table a pair of points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from asr_scaling.analysis.comparison.verdict import ENERGY, WER, Comparison, MetricChange
from asr_scaling.core.metrics import metric_spec
from asr_scaling.report.console import cell, console, print_line, table

_UNITS = {"s": ("ms", 1e3), "B": ("MB", 1e-6), "FLOP": ("GFLOP", 1e-9)}
_FOOTNOTE = (
    "Changes of latency and RTFx are paired by utterance, so they need not equal the ratio of the "
    "two values. Intervals of times hold what differs between calls and between processes. A "
    'difference needs an interval without 0; "no difference beyond" says what it rules out.'
)


def show(comparisons: Sequence[Comparison], lines: Sequence[str]) -> None:
    """Print every comparison with its notes, then ``lines``."""
    out = console(width=120)
    for comparison in comparisons:
        a, b = comparison.a.name, comparison.b.name
        names = a if a == b else f"A {a} · B {b}"
        print_line(out, f"{names} · {comparison.machine.line()}")
        out.print(_table(comparison))
        for note in comparison.notes:
            print_line(out, f"• {note}")
        out.print()
    if comparisons:
        print_line(out, _FOOTNOTE)
    for line in lines:
        print_line(out, line)


def _table(comparison: Comparison) -> Table:
    rows = table()
    rows.add_column("metric")
    for heading in ("A", "B", "change", "95 % interval"):
        rows.add_column(heading, justify="right", no_wrap=True)
    rows.add_column("verdict")
    for row in comparison.rows:
        rows.add_row(*map(cell, _cells(row)))
    return rows


def _cells(row: MetricChange) -> tuple[str, ...]:
    spec = metric_spec(row.metric)
    unit, factor = _UNITS.get(spec.unit, (spec.unit, 1.0))
    if row.metric in (WER, "quality/cer"):
        unit, factor = "%", 100.0
    named = unit == "1" or row.metric == ENERGY  # its name says joules and seconds of audio
    details = ", ".join(filter(None, ("" if named else unit, row.qualifier)))
    name = f"{row.metric} ({details})" if details else row.metric
    change, interval = _change(row)
    verdict = (
        f"not compared: {row.reason}" if row.reason else row.verdict or "not judged: single reading"
    )
    return name, _number(row.a, factor), _number(row.b, factor), change, interval, verdict


def _number(value: float | None, factor: float) -> str:
    """Three digits at least, so that a change of a percent is seen."""
    if value is None:
        return "–"
    scaled = value * factor
    return f"{scaled:.{max(0, 2 - math.floor(math.log10(abs(scaled))))}f}" if scaled else "0"


def _change(row: MetricChange) -> tuple[str, str]:
    """The change and its interval in per cent, of an error rate in points."""
    value, unit = (row.absolute, "points") if row.metric == WER else (row.relative, "%")
    if value is None:
        return "–", "–"
    if row.interval is None:
        return f"{100 * value:+.1f} {unit}", "–"
    digits = 1 if row.interval.half(value) >= 0.01 else 2
    ends = " … ".join(f"{100 * end:+.{digits}f}" for end in (row.interval.low, row.interval.high))
    return f"{100 * value:+.{digits}f} {unit}", ends
