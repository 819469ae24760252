"""A metric as a record's JSON has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.typed_json import build, shown


@dataclass(frozen=True)
class MetricRow:
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


def metric_row(name: str, row: Any) -> MetricRow:
    """The JSON ``row`` of the metric ``name``.

    Raises ConfigError for a name that is not in the table, TypeError for a row that is damaged or
    has another unit or direction than the table.
    """
    spec = metric_spec(name)
    try:
        metric = build(MetricRow, row)
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
