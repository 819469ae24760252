"""How figures are written: digits that the interval supports, a unit chosen by the caller, a dash with its reason."""

from __future__ import annotations

import math
from dataclasses import replace

from asr_scaling.compare.verdict import LATENCY, MEMORY, WER
from asr_scaling.fits import quotient_interval
from asr_scaling.report.document import Cell
from asr_scaling.report.points import Point, length_name
from asr_scaling.stats import Interval

MISSING = "–"
MINUTE_S = 60.0
MEAN_LATENCY, DEVICE_MEMORY = "latency/mean_s", "memory/peak_device_bytes"
PARTLY = "Part of the audio was not transcribed."
_MOST = 5
"""No figure is shown with more significant digits, however narrow its interval."""
_SMALL = 1e-4
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))


def plain(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits, whole thousands in full: 0.0512, 5.01, 518, 16,232.

    Below 0.0001 with an exponent; "–" for what is not finite.
    """
    if not math.isfinite(value):
        return MISSING
    if value and abs(value) < _SMALL:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{_places(value, digits)}f}"


def with_interval(value: float, interval: Interval | None, factor: float = 1.0, digits: int = 3) -> str:
    """``value`` · ``factor`` ± the larger half of the interval, which has two significant digits: 518 ± 49.

    Without an interval, or with one too narrow for five digits to show, ``plain``.
    """
    scaled = value * factor
    half = 0.0 if interval is None else interval.half(value) * abs(factor)
    if not math.isfinite(half) or not math.isfinite(scaled):
        return plain(scaled, digits)
    places = min(_places(half, 2), _places(scaled, _MOST) if scaled else _MOST) if half > 0 else 0
    if not half or not round(half, places):
        return plain(scaled, digits)
    shown = f"{scaled:,.{places}f}"
    return f"{shown.removeprefix('-') if not round(scaled, places) else shown} ± {half:,.{places}f}"


def inverse(interval: Interval | None) -> Interval | None:
    """The interval of 1 / value; None where it reaches 0."""
    return Interval(1 / interval.high, 1 / interval.low) if interval and interval.low > 0 else None


def _ends(interval: Interval, factor: float = 1.0) -> str:
    """ "886 to 1,297": the interval's two ends."""
    return f"{plain(interval.low * factor)} to {plain(interval.high * factor)}"


def number(
    value: float, interval: Interval | None = None, factor: float = 1.0, digits: int = 3, note: str = ""
) -> Cell:
    """A cell sorted by ``value`` · ``factor``; the ends of its interval stand in the note, before ``note``."""
    said = [f"95 % interval: {_ends(interval, factor)}." if interval else "", note]
    return Cell(with_interval(value, interval, factor, digits), value * factor, " ".join(filter(None, said)))


def figure(point: Point, metric: str, factor: float = 1.0, digits: int = 3) -> Cell:
    """A metric of ``point`` in a unit ``factor`` of its own; "–" with the record's reason where it has none."""
    value = point.values.get(metric)
    if value is None:
        return missing(why_missing(point, metric))
    return number(value, point.intervals.get(metric), factor, digits)


def why_missing(point: Point, metric: str) -> str:
    """Why ``point`` has no such metric, in the record's words as far as it has any."""
    if not point.ok:
        return f"{point.status.replace('_', ' ')}: {point.reason}" if point.reason else point.status.replace("_", " ")
    return point.unavailable.get(metric, "not measured in this sweep")


def ratio(over: Point, under: Point, metric: str, factor: float = 1.0) -> Cell:
    """``metric`` of one point over that of another, times ``factor``; "–" with the reason where one has none or 0.

    An interval where both have one, which are taken as independent, and the two are not the same point.
    """
    for point in (over, under):
        if not point.value(metric):
            return missing("one of the two is 0" if metric in point.values else why_missing(point, metric))
    a, b = over.values[metric], under.values[metric]
    interval = quotient_interval(a, over.intervals.get(metric), b, under.intervals.get(metric))
    return number(a / b, None if over is under else interval, factor)


def latency_metric(*points: Point) -> str:
    """The median of a call's time; their mean where too few calls of one of ``points`` bound it."""
    means = all(MEAN_LATENCY in point.values for point in points)
    return MEAN_LATENCY if means and not all(LATENCY in point.values for point in points) else LATENCY


def memory_metric(point: Point) -> str:
    """The memory that limits a batch: the accelerator's own where there is one."""
    return DEVICE_MEMORY if DEVICE_MEMORY in point.values else MEMORY


def latency(point: Point, factor: float = 1e3, metric: str = "") -> Cell:
    """Typical time of a call, in ms unless told otherwise; the note says where it is a mean, or of part of the audio.

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


def why_no_wer(point: Point) -> str:
    """Why a point's WER is not known."""
    return "random weights" if point.random else why_missing(point, WER)


def count(whole: int, note: str = "") -> Cell:
    """A whole number."""
    return Cell(f"{whole:,}", whole, note)


def batch_cell(point: Point) -> Cell:
    """Utterances in a call."""
    return count(point.batch) if point.batch else missing("failed before its batch was known")


def length_cell(point: Point) -> Cell:
    """Seconds, for a column of that unit; "natural" sorts last."""
    return Cell(point.length, None) if point.length_s is None else Cell(f"{point.length_s:g}", point.length_s)


def at_length(length_s: float | None) -> str:
    """ "at 15 s", or "at natural lengths"."""
    return "at natural lengths" if length_s is None else f"at {length_name(length_s)}"


def speech(length_s: float | None) -> str:
    """ "fragments of 15 s", or "natural utterances"."""
    return "natural utterances" if length_s is None else f"fragments of {length_name(length_s)}"


def noted(cell: Cell, *notes: str) -> Cell:
    """``cell`` with more in its note."""
    return replace(cell, note=" ".join(filter(None, (cell.note, *notes))))


def missing(reason: str) -> Cell:
    """ "–", sorted last; the reason is its tooltip."""
    return Cell(MISSING, None, reason)


def words(text: str, note: str = "") -> Cell:
    """A cell of text, sorted by it."""
    return Cell(text, text, note)


def percent(share: float, digits: int = 3) -> str:
    """ "4.93 %" for 0.0493."""
    return f"{plain(100 * share, digits)} %"


def size(count: float, digits: int = 3) -> str:
    """Bytes with the largest decimal unit that leaves at least 1: "475 MB"."""
    unit, each = next(((unit, each) for unit, each in _SIZES if abs(count) >= each), _SIZES[-1])
    return f"{plain(count / each, digits)} {unit}"


def duration(seconds: float, digits: int = 3) -> str:
    """Milliseconds below one second, minutes from 120 s on: "518 ms", "1.23 s", "2.50 min"."""
    if abs(seconds) < 1:
        return f"{plain(seconds * 1e3, digits)} ms"
    if abs(seconds) < 120:
        return f"{plain(seconds, digits)} s"
    return f"{plain(seconds / 60, digits)} min"


def _places(value: float, digits: int) -> int:
    """Decimals that show ``digits`` significant digits of ``value`` after it is rounded to them; 0 for whole ones."""
    if not value:
        return 0
    magnitude = math.floor(math.log10(abs(value)))
    if round(abs(value), digits - 1 - magnitude) >= 10.0 ** (magnitude + 1):
        magnitude += 1
    return max(0, digits - 1 - magnitude)
