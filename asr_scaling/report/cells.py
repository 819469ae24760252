"""Cells of tables: a figure with its interval in the note, or a dash with its reason."""

from __future__ import annotations

from dataclasses import replace

from asr_scaling.analysis.comparison.verdict import LATENCY, WER
from asr_scaling.analysis.fits import quotient_interval
from asr_scaling.analysis.format import (
    MISSING,
    PARTLY,
    latency_metric,
    plain,
    why_missing,
    why_no_wer,
    with_interval,
)
from asr_scaling.analysis.points import Point
from asr_scaling.core.statistics import Interval
from asr_scaling.report.document import Cell


def _ends(interval: Interval, factor: float = 1.0) -> str:
    """ "886 to 1,297": the interval's two ends."""
    return f"{plain(interval.low * factor)} to {plain(interval.high * factor)}"


def number(
    value: float,
    interval: Interval | None = None,
    factor: float = 1.0,
    digits: int = 3,
    note: str = "",
) -> Cell:
    """A cell sorted by ``value`` · ``factor``; the ends of its interval stand in the note, before
    ``note``.
    """
    said = [f"95 % interval: {_ends(interval, factor)}." if interval else "", note]
    return Cell(
        with_interval(value, interval, factor, digits), value * factor, " ".join(filter(None, said))
    )


def figure(point: Point, metric: str, factor: float = 1.0, digits: int = 3) -> Cell:
    """A metric of ``point`` in a unit ``factor`` of its own; "–" with the record's reason where it
    has none.
    """
    value = point.values.get(metric)
    if value is None:
        return missing(why_missing(point, metric))
    return number(value, point.intervals.get(metric), factor, digits)


def ratio(over: Point, under: Point, metric: str, factor: float = 1.0) -> Cell:
    """``metric`` of one point over that of another, times ``factor``; "–" with the reason where one
    has none or 0.

    An interval where both have one, which are taken as independent, and the two are not the same
    point.
    """
    for point in (over, under):
        if not point.value(metric):
            return missing(
                "one of the two is 0" if metric in point.values else why_missing(point, metric)
            )
    a, b = over.values[metric], under.values[metric]
    interval = quotient_interval(a, over.intervals.get(metric), b, under.intervals.get(metric))
    return number(a / b, None if over is under else interval, factor)


def latency(point: Point, factor: float = 1e3, metric: str = "") -> Cell:
    """Typical time of a call, in ms unless told otherwise; the note says where it is a mean, or of
    part of the audio.

    ``metric``: which of the two, by ``latency_metric`` of the point where it is empty.
    """
    metric = metric or latency_metric(point)
    cell = figure(point, metric, factor)
    said = PARTLY if point.truncated else ""
    if metric == LATENCY:
        return noted(cell, said)
    other = "the other has no median" if LATENCY in point.values else "there is no median"
    reason = point.unavailable.get(LATENCY, other)
    return noted(cell, f"The mean: {reason}.", said)


def wer(point: Point) -> Cell:
    """In per cent; "–" and why where it is not known."""
    return figure(point, WER, 100) if point.wer_known else missing(why_no_wer(point))


def count(whole: int, note: str = "") -> Cell:
    """A whole number."""
    return Cell(f"{whole:,}", whole, note)


def batch_cell(point: Point) -> Cell:
    """Utterances in a call."""
    return count(point.batch) if point.batch else missing("failed before its batch was known")


def length_cell(point: Point) -> Cell:
    """Seconds, for a column of that unit; "natural" sorts last."""
    return (
        Cell(point.length, None)
        if point.length_s is None
        else Cell(f"{point.length_s:g}", point.length_s)
    )


def noted(cell: Cell, *notes: str) -> Cell:
    """``cell`` with more in its note."""
    return replace(cell, note=" ".join(filter(None, (cell.note, *notes))))


def missing(reason: str) -> Cell:
    """ "–", sorted last; the reason is its tooltip."""
    return Cell(MISSING, None, reason)


def words(text: str, note: str = "") -> Cell:
    """A cell of text, sorted by it."""
    return Cell(text, text, note)
