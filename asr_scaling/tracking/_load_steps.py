"""Loads as metrics by step, so that a chart of a run draws its latency over its load.

MLflow's steps are whole numbers: a step is the rate that was offered, in thousandths of a request a
second, so that 1.5 requests/s are step 1500. The rate itself is the metric ``load/offered_per_s``.
Of closed arrivals, which offer no rate, a step is the number of clients, and the metrics begin with
``closed_load/``: no chart puts the two on one curve. Repeated loads of a rate are one step, put
together as in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from asr_scaling.core.metric import Metric
from asr_scaling.core.pooled_loads import PooledLoad, pooled_loads
from asr_scaling.core.record import RunRecord

_PER_S = 1000
"""Steps for one request a second."""
_LOAD, _CLOSED = "load/", "closed_load/"


def load_steps(record: RunRecord) -> Iterator[tuple[str, float, int]]:
    """Name, value and step of every figure of the loads, ends of intervals included."""
    for load in pooled_loads(record.loads):
        step = _step(load)
        for name, value in with_ends(load.metrics).items():
            closed = load.offered_per_s is None
            yield name.replace(_LOAD, _CLOSED, 1) if closed else name, value, step


def of_a_load(metric: str) -> bool:
    """Whether a metric is of one load, so that it stands at its step."""
    return metric.startswith(_LOAD)


def with_ends(metrics: Iterable[Metric]) -> dict[str, float]:
    """Name → value; the interval of a metric m as m.low and m.high."""
    values = dict[str, float]()
    for metric in metrics:
        values[metric.name] = metric.value
        if metric.interval is not None:
            ends = asdict(metric.interval)
            values |= {f"{metric.name}.{end}": value for end, value in ends.items()}
    return values


def _step(load: PooledLoad) -> int:
    if load.offered_per_s is None:
        return load.clients or 0
    return round(_PER_S * load.offered_per_s)
