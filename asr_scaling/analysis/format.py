"""How figures are written: digits that the interval supports, units, and a dash with its reason."""

from __future__ import annotations

import math

from asr_scaling.analysis.comparison.verdict import LATENCY, MEMORY, WER
from asr_scaling.analysis.points import Point, length_name
from asr_scaling.core.energy_methods import NOT_MEASURED
from asr_scaling.core.older_records import ABOVE_IDLE
from asr_scaling.core.statistics import Interval

MISSING = "–"
MINUTE_S = 60.0
MEAN_LATENCY, DEVICE_MEMORY = "latency/mean_s", "memory/peak_device_bytes"
PARTLY = "Part of the audio was not transcribed."
_MOST = 5
"""No figure is shown with more significant digits, however narrow its interval."""
_SMALL = 1e-4
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))


def plain(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits: 0.0512, 5.01, 518, 16,232.

    Below 0.0001 with an exponent; "–" for what is not finite.
    """
    if not math.isfinite(value):
        return MISSING
    if value and abs(value) < _SMALL:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{_places(value, digits)}f}"


def with_interval(
    value: float, interval: Interval | None, factor: float = 1.0, digits: int = 3
) -> str:
    """``value`` · ``factor`` ± the larger half of the interval, with two digits: 518 ± 49.

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


def why_missing(point: Point, metric: str) -> str:
    """Why ``point`` has no such metric, in the record's words as far as it has any."""
    if not point.ok:
        return ": ".join(filter(None, (point.status.replace("_", " "), point.reason)))
    if metric in point.values and point.judged(metric) is None:
        return NOT_MEASURED
    return point.unavailable.get(metric, "not measured in this sweep")


def latency_metric(*points: Point) -> str:
    """The median of a call's time; their mean where too few calls of one of ``points`` bound it."""
    medians, means = (all(name in p.values for p in points) for name in (LATENCY, MEAN_LATENCY))
    return MEAN_LATENCY if means and not medians else LATENCY


def memory_metric(point: Point) -> str:
    """The memory that limits a batch: the accelerator's own where there is one."""
    return DEVICE_MEMORY if DEVICE_MEMORY in point.values else MEMORY


def shown_memory(point: Point) -> str:
    """The same, or what an old record has in its place, which nothing is ranked or bounded by."""
    metric = memory_metric(point)
    return ABOVE_IDLE if metric not in point.values and ABOVE_IDLE in point.values else metric


def why_no_wer(point: Point) -> str:
    """Why a point's WER is not known."""
    return "random weights" if point.random else why_missing(point, WER)


def at_length(length_s: float | None) -> str:
    """ "at 15 s", or "at natural lengths"."""
    return "at natural lengths" if length_s is None else f"at {length_name(length_s)}"


def speech(length_s: float | None) -> str:
    """ "fragments of 15 s", or "natural utterances"."""
    return "natural utterances" if length_s is None else f"fragments of {length_name(length_s)}"


def percent(share: float, digits: int = 3) -> str:
    """ "4.93 %" for 0.0493."""
    return f"{plain(100 * share, digits)} %"


def size(count: float, digits: int = 3) -> str:
    """Bytes with the largest decimal unit that leaves at least 1: "475 MB"."""
    unit, factor = next((size for size in _SIZES if abs(count) >= size[1]), _SIZES[-1])
    return f"{plain(count / factor, digits)} {unit}"


def duration(seconds: float, digits: int = 3) -> str:
    """Milliseconds below one second, minutes from 120 s on: "518 ms", "1.23 s", "2.50 min"."""
    if abs(seconds) < 1:
        return f"{plain(seconds * 1e3, digits)} ms"
    if abs(seconds) < 120:
        return f"{plain(seconds, digits)} s"
    return f"{plain(seconds / 60, digits)} min"


def _places(value: float, digits: int) -> int:
    """Decimals that show ``digits`` significant digits of the rounded value."""
    if not value:
        return 0
    magnitude = math.floor(math.log10(abs(value)))
    if round(abs(value), digits - 1 - magnitude) >= 10.0 ** (magnitude + 1):
        magnitude += 1
    return max(0, digits - 1 - magnitude)
