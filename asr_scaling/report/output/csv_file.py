"""Points, and loads, as a CSV in SI units: a row each, every metric with its interval's ends."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from asr_scaling.analysis.points import Point
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.statistics import Interval

_T = TypeVar("_T")
_Row = tuple[_T, Mapping[str, float], Mapping[str, Interval]]
"""A point or a load, its metrics, and their intervals."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_IDENTITY: dict[str, Callable[[Point], object]] = {
    "name": lambda point: point.name,
    "system": lambda point: point.system,
    "model": lambda point: point.model,
    "family": lambda point: point.family,
    "parameters": lambda point: point.parameters,
    "weights": lambda point: point.weights,
    "engine": lambda point: point.engine,
    "options": lambda point: " ".join(f"{key}={value}" for key, value in point.options.items()),
    "device": lambda point: point.device,
    "hardware": lambda point: point.hardware,
    "machine": lambda point: point.machine,
    "host": lambda point: point.host,
    "gpu_uuid": lambda point: (point.environment.get("device") or {}).get("uuid"),
    "dataset": lambda point: point.dataset,
    "synthetic": lambda point: point.synthetic,
    "length_s": lambda point: point.length_s,
    "batch": lambda point: point.batch or None,
    "status": lambda point: point.status,
    "reason": lambda point: point.reason,
    "utterances": lambda point: point.utterances,
    "calls": lambda point: point.calls,
    "audio_s": lambda point: point.audio_s,
    "started_at": lambda point: _moment(point.started_at),
    "ended_at": lambda point: _moment(point.ended_at),
}
"""What a point is: column → its value. ``audio_s``: mean seconds of an utterance."""


def write_csv(points: Sequence[Point], path: Path) -> None:
    """One row a point; ``<metric>.low`` and ``.high`` where some point has its interval."""
    rows = [(point, point.values, point.intervals) for point in points]
    _write(path, _IDENTITY, rows)


def write_loads(points: Sequence[Point], path: Path) -> bool:
    """One row a load, in the same way; whether there is any. Without one nothing is written."""
    loads = [_Load(point, load) for point in points for load in point.loads]
    if loads:
        _write(path, _OF_A_LOAD, [(each, each.load.values, each.intervals) for each in loads])
    return bool(loads)


@dataclass(frozen=True)
class _Load:
    point: Point
    load: LoadPoint

    @property
    def intervals(self) -> dict[str, Interval]:
        return {metric.name: metric.interval for metric in self.load.metrics if metric.interval}


_SAME = ("name", "system", "model", "engine", "options", "device", "host", "dataset", "started_at")
_OF_A_LOAD: dict[str, Callable[[_Load], object]] = {
    **{name: partial(lambda show, row: show(row.point), _IDENTITY[name]) for name in _SAME},
    "serving": lambda row: row.point.serving,
    "arrivals": lambda row: row.load.arrivals,
    "offered_per_s": lambda row: row.load.offered_per_s,
    "clients": lambda row: row.load.clients,
    "bound": lambda row: row.load.bound,
    "verdict": lambda row: row.load.verdict,
    "why": lambda row: row.load.why,
    "seconds": lambda row: row.load.seconds,
    "requests": lambda row: row.load.requests,
    "counted": lambda row: row.load.counted,
}
"""What a load is: column → its value."""


def _write(
    path: Path, identity: Mapping[str, Callable[[_T], object]], rows: Sequence[_Row[_T]]
) -> None:
    metrics = sorted({name for _, values, _ in rows for name in values})
    bounded = {name for _, _, intervals in rows for name in intervals}
    ends = [
        f"{name}{end}"
        for name in metrics
        for end in (("", ".low", ".high") if name in bounded else ("",))
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*identity, *ends])
        for thing, values, intervals in rows:
            known = [_words(show(thing)) for show in identity.values()]
            out.writerow([*known, *_figures(values, intervals, metrics, bounded)])


def _figures(
    values: Mapping[str, float],
    intervals: Mapping[str, Interval],
    metrics: Sequence[str],
    bounded: set[str],
) -> Iterator[float | None]:
    for name in metrics:
        yield values.get(name)
        if name in bounded:
            interval = intervals.get(name)
            yield from (None, None) if interval is None else (interval.low, interval.high)


def _words(value: object) -> object:
    """An apostrophe keeps spreadsheets from calculating what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _moment(seconds: float) -> str:
    """Empty where it was not recorded."""
    return "" if not seconds else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
