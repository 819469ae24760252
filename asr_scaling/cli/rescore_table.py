"""Texts scored again, in the terminal: a table of points, and one of each pair of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asr_scaling.analysis.format import MISSING, with_interval
from asr_scaling.analysis.rescoring import RECORDED, Difference
from asr_scaling.core.record import RunRecord
from asr_scaling.report.console import cell, console, print_line, table

_FOOTNOTE = (
    "the normaliser's: how much of the recorded difference goes when both are scored by this one, "
    "in points and as a share of it; negative where it grows."
)
_MOST_PAIRS = 3


def show(
    points: Sequence[tuple[str, RunRecord, Mapping[str, RunRecord]]],
    pairs: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> None:
    """Print name, record and scored records of every point, the pairs, then ``notes``."""
    out = console(width=120)
    rows = table()
    rows.add_column("point")
    rows.add_column("normaliser")
    for heading in ("WER %", "CER %", "words", "invented\nwords/h"):
        rows.add_column(heading, justify="right", no_wrap=True)
    labels, reasons = dict[str, None](), dict[str, None]()
    for name, recorded, by in points:
        for which, record in {RECORDED: recorded, **by}.items():
            point = name if which == RECORDED else ""
            rows.add_row(*map(cell, (point, which, *_cells(record))))
            if _label(record) != which:
                labels[f"{which}: {_label(record)}"] = None
            reasons |= dict.fromkeys(_said(which, record))
    out.print(rows)
    for pair in pairs[:_MOST_PAIRS]:
        out.print()
        print_line(out, f"A {pair['a']} · B {pair['b']}")
        out.print(_pair(pair["differences"]))
    if pairs:
        print_line(out, _FOOTNOTE)
    if (more := len(pairs) - _MOST_PAIRS) > 0:
        print_line(out, f"{more} pairs more are in --json; name two records to see theirs.")
    for line in (*labels, *reasons, *notes):
        print_line(out, f"• {line}")


def _label(record: RunRecord) -> str:
    return record.tags.get("quality/normaliser", "unknown")


def _cells(record: RunRecord) -> tuple[str, ...]:
    rates = (_rate(record, name) for name in ("quality/wer", "quality/cer"))
    words, invented = (
        record.values.get(f"quality/{name}") for name in ("words", "invented_words_per_hour")
    )
    return (
        *rates,
        MISSING if words is None else f"{words:,.0f}",
        MISSING if invented is None else f"{invented:,.0f}",
    )


def _rate(record: RunRecord, name: str) -> str:
    value = record.values.get(name)
    return MISSING if value is None else with_interval(value, record.intervals.get(name), 100)


def _said(which: str, record: RunRecord) -> list[str]:
    """Why a figure is missing, and what must be known of the texts."""
    why = record.unavailable.get("quality/wer")
    kinds = ("EnglishNormaliser", "ScriptWithoutSpaces", "EmptyReferences")
    cautions = [f"{c.kind}: {c.message}" for c in record.cautions if c.kind in kinds]
    return [*([f"{which}, no WER: {why}"] if why else []), *cautions]


def _pair(found: Sequence[Difference]) -> Any:
    rows = table()
    rows.add_column("scored by")
    for heading in ("A, WER %", "B, WER %", "B - A, points", "the normaliser's", "share"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        a, b = (MISSING if value is None else f"{100 * value:.2f}" for value in (each.a, each.b))
        rows.add_row(*map(cell, (each.by, a, b, _change(each), *_theirs(each))))
    return rows


def _change(difference: Difference) -> str:
    if difference.change is None:
        return difference.reason
    half = difference.interval.half(difference.change) if difference.interval else None
    return f"{100 * difference.change:+.2f}" + (f" ± {100 * half:.2f}" if half else "")


def _theirs(difference: Difference) -> tuple[str, str]:
    points, share = difference.normalisers, difference.share
    return (
        MISSING if points is None else f"{100 * points:+.2f}",
        MISSING if share is None else f"{share:.0%}",
    )
