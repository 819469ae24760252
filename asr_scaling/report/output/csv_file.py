"""Points as one CSV in SI units: a row each, every metric with the ends of its interval."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from asr_scaling.analysis.points import Point

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
    metrics = sorted({name for point in points for name in point.values})
    bounded = {name for point in points for name in point.intervals}
    ends = [
        f"{name}{end}"
        for name in metrics
        for end in (("", ".low", ".high") if name in bounded else ("",))
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*_IDENTITY, *ends])
        for point in points:
            identity = [_words(show(point)) for show in _IDENTITY.values()]
            out.writerow([*identity, *_figures(point, metrics, bounded)])


def _figures(point: Point, metrics: Sequence[str], bounded: set[str]) -> Iterator[float | None]:
    for name in metrics:
        yield point.values.get(name)
        if name in bounded:
            interval = point.intervals.get(name)
            yield from (None, None) if interval is None else (interval.low, interval.high)


def _words(value: object) -> object:
    """An apostrophe keeps spreadsheets from calculating what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _moment(seconds: float) -> str:
    """Empty where it was not recorded."""
    return "" if not seconds else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
