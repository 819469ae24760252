"""Cells of tables: a figure with its interval in the note, or a dash with its reason."""

from __future__ import annotations

from dataclasses import replace

from asr_scaling.analysis.comparison.verdict import LATENCY, MEMORY, WER
from asr_scaling.analysis.fits import quotient_interval
from asr_scaling.analysis.format import (
    MISSING,
    PARTLY,
    latency_metric,
    plain,
    shown_memory,
    why_missing,
    why_no_wer,
    with_interval,
)
from asr_scaling.analysis.points import Point
from asr_scaling.core.older_records import ABOVE_IDLE
from asr_scaling.core.statistics import Interval
from asr_scaling.report.document import Cell, Column, word_columns
from asr_scaling.report.output.axes_style import value_of


def number(
    value: float,
    interval: Interval | None = None,
    factor: float = 1.0,
    digits: int = 3,
    note: str = "",
) -> Cell:
    """``value`` · ``factor``; the note begins with the ends of its interval."""
    if interval:
        ends = f"{plain(interval.low * factor)} to {plain(interval.high * factor)}"
        note = f"95 % interval: {ends}. {note}".strip()
    return Cell(with_interval(value, interval, factor, digits), value * factor, note)


def figure(point: Point, metric: str, factor: float = 1.0) -> Cell:
    """A metric of ``point`` times ``factor``; "–" with the record's reason where it has none.

    It is at the machine's usual state where that is known; the note then says what it was.
    """
    found = point.at_usual(metric)
    if found is None:
        return as_it_was(point, metric, factor)
    raw = with_interval(point.values[metric], point.intervals.get(metric), factor)
    return number(*found, factor, note=f"At the machine's usual state; as it was: {raw}.")


def as_it_was(point: Point, metric: str, factor: float = 1.0) -> Cell:
    """A metric as it was measured, whatever the machine's state; "–" with the reason."""
    value = point.values.get(metric)
    if value is None:
        return missing(why_missing(point, metric))
    return number(value, point.intervals.get(metric), factor)


def memory(point: Point) -> Cell:
    """Peak memory in MB; where an old record has it above the idle process, the cell says so."""
    metric = shown_memory(point)
    cell = figure(point, metric, 1e-6)
    if metric != ABOVE_IDLE:
        return cell
    return replace(cell, text=f"{cell.text} above idle", sort=None, note=why_missing(point, MEMORY))


def ratio(over: Point, under: Point, metric: str, factor: float = 1.0) -> Cell:
    """``metric`` of one point over that of another, times ``factor``.

    "–" with the reason where one has none or 0. The intervals are taken as independent.
    """
    for point in (over, under):
        if not point.judged(metric):
            zero = point.value(metric) == 0
            return missing("one of the two is 0" if zero else why_missing(point, metric))
    (a, of_a), (b, of_b) = value_of(over, metric), value_of(under, metric)
    interval = quotient_interval(a, of_a, b, of_b)
    return number(a / b, None if over is under else interval, factor)


def latency(point: Point, metric: str = "") -> Cell:
    """Time of a call, ms: ``metric``, or else the median where it is known and the mean elsewhere.

    The note says where it is a mean, or of part of the audio.
    """
    metric = metric or latency_metric(point)
    cell, partly = figure(point, metric, 1e3), PARTLY if point.truncated else ""
    if metric == LATENCY:
        return noted(cell, partly)
    other = "the other has no median" if LATENCY in point.values else "there is no median"
    return noted(cell, f"The mean: {point.unavailable.get(LATENCY, other)}.", partly)


def wer(point: Point) -> Cell:
    """In per cent; "–" and why where it is not known.

    CER, which it says, where the references are in a script without spaces between words.
    """
    if not point.wer_known:
        return missing(why_no_wer(point))
    cell = figure(point, point.error_rate, 100)
    return cell if point.error_rate == WER else replace(cell, text=f"CER {cell.text}")


def count(whole: int, note: str = "") -> Cell:
    """A whole number."""
    return Cell(f"{whole:,}", whole, note)


def batch_cell(point: Point) -> Cell:
    """Utterances in a call."""
    return count(point.batch) if point.batch else missing("failed before its batch was known")


def length_cell(point: Point) -> Cell:
    """Seconds, for a column of that unit; "natural" sorts last."""
    text = point.length if point.length_s is None else f"{point.length_s:g}"
    return Cell(text, point.length_s)


def noted(cell: Cell, *notes: str) -> Cell:
    """``cell`` with more in its note."""
    return replace(cell, note=" ".join(filter(None, (cell.note, *notes))))


def missing(reason: str) -> Cell:
    """ "–", sorted last; the reason is its tooltip."""
    return Cell(MISSING, None, reason)


def words(text: str, note: str = "") -> Cell:
    """A cell of text, sorted by it."""
    return Cell(text, text, note)


IDENTITY = (*word_columns("System", "Device"), Column("Length", "s"), Column("Batch"))
"""The columns that say which point a row is; ``identity`` makes their cells."""


def identity(point: Point) -> tuple[Cell, ...]:
    """System, device, length and batch; the hardware is a note."""
    device = words(point.device, point.hardware)
    return (words(point.system), device, length_cell(point), batch_cell(point))
