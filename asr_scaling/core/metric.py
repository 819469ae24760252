"""A measured number, and how a record's JSON has it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.statistics import Interval
from asr_scaling.core.typed_json import build, shown
from asr_scaling.errors import DataError


@dataclass(frozen=True)
class Metric:
    """A measured number; its unit and direction are in the table of core/metrics.py.

    name: a name in that table, or one that a pattern there matches.
    value: finite, in the table's unit.
    n: how many values it was computed from; None if unknown.
    interval: of 95 % confidence; None for a count or a single reading.
    """

    name: str
    value: float
    n: int | None = None
    interval: Interval | None = None

    def __post_init__(self) -> None:
        metric_spec(self.name)
        ends = () if self.interval is None else (self.interval.low, self.interval.high)
        if not all(map(math.isfinite, (self.value, *ends))):
            raise DataError(
                f"Metric '{self.name}' is {self.value}: report it as unavailable, with the reason."
            )

    def to_json(self) -> dict[str, Any]:
        """Value, unit and direction; ``n`` and the ends of the interval where they are known."""
        spec = metric_spec(self.name)
        row: dict[str, Any] = {"value": self.value, "unit": spec.unit, "better": spec.better}
        if self.n is not None:
            row["n"] = self.n
        return row | asdict(self.interval) if self.interval else row


@dataclass(frozen=True)
class _Row:
    """A metric as a record's JSON has it.

    value: the number, in ``unit``.
    unit: as in the table.
    better: as in the table.
    n: how many values it was computed from; None if unknown.
    low: lower end of the 95 % interval, in ``unit``; None without one.
    high: upper end of the 95 % interval, in ``unit``; None without one.
    """

    value: float
    unit: str
    better: str
    n: int | None = None
    low: float | None = None
    high: float | None = None


def metrics_from(rows: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a JSON object: name → row, as ``to_json`` gives it.

    Raises ConfigError for a name that is not in the table, TypeError for a damaged row.
    """
    return tuple(_metric(name, row) for name, row in rows.items())


def _metric(name: str, data: Any) -> Metric:
    row = _row(name, data)
    interval = None if row.low is None or row.high is None else Interval(row.low, row.high)
    return Metric(name, row.value, row.n, interval)


def _row(name: str, row: Any) -> _Row:
    """The JSON ``row`` of the metric ``name``.

    Raises ConfigError for a name that is not in the table, TypeError for a row that is damaged or
    has another unit or direction than the table.
    """
    spec = metric_spec(name)
    try:
        metric = build(_Row, row)
    except TypeError as error:
        raise TypeError(f"metric '{name}': {error}") from error
    for field, stored, expected in (
        ("unit", metric.unit, spec.unit),
        ("direction", metric.better, spec.better),
    ):
        if stored != expected:
            raise TypeError(
                f"the {field} of '{name}' is {shown(stored)}, and here it is '{expected}'"
            )
    if (metric.low is None) != (metric.high is None):
        raise TypeError(f"the interval of '{name}' has one end")
    return metric
