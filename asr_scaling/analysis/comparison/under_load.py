"""How two systems differ under load: by the intervals of what each of them held or spent."""

from __future__ import annotations

from dataclasses import replace

from asr_scaling.analysis.comparison.change import MetricChange, answered, group
from asr_scaling.analysis.fits import quotient_interval
from asr_scaling.core.judged import Stated
from asr_scaling.core.pooled_loads import PooledLoad, pooled_loads
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval

CAPACITY, P99 = "capacity/rate_per_s", "load/latency_p99_s"
_FEW = "an interval is missing"


def of_loads(metric: str) -> bool:
    """Whether a metric is of requests that arrive."""
    return group(metric) in ("load", "capacity")


def figures_change(metric: str, a: Stated | None, b: Stated | None) -> MetricChange:
    """B's figure against A's, by their intervals, as two independent figures."""
    if a is None or b is None:
        return MetricChange(metric, reason="not measured in both")
    ours, theirs = a[0], b[0]
    relative = theirs / ours - 1 if ours else None
    ends = quotient_interval(theirs, b[1], ours, a[1]) if min(ours, theirs) > 0 else None
    interval = Interval(ends.low - 1, ends.high - 1) if ends else None
    answer, verdict = answered(metric, relative or 0.0, interval, _FEW, None)
    found = relative, theirs - ours, interval, verdict
    return MetricChange(metric, ours, theirs, *found, answer=answer)


def load_changes(a: RunRecord, b: RunRecord) -> tuple[MetricChange, ...]:
    """Of the capacities, and of p99 at the highest rate that both were offered; none without."""
    rows = []
    if CAPACITY in a.values and CAPACITY in b.values:
        rows.append(_capacity(a, b))
    common = _common(a, b)
    if common is not None:
        (ours, theirs) = (load.metric(P99) for load in common)
        assert ours is not None
        assert theirs is not None
        row = figures_change(P99, (ours.value, ours.interval), (theirs.value, theirs.interval))
        where = f"{common[0].arrivals} arrivals, {common[0].offered_per_s:.3g} requests/s"
        rows.append(replace(row, qualifier=where))
    return tuple(rows)


def _capacity(a: RunRecord, b: RunRecord) -> MetricChange:
    bounds = [sorted({load.bound for load in record.loads if load.bound}) for record in (a, b)]
    if bounds[0] != bounds[1]:
        asked = " and ".join(", ".join(bound) or "no bound" for bound in bounds)
        return MetricChange(CAPACITY, reason=f"their bounds are {asked}")
    both = [(record.values[CAPACITY], record.intervals.get(CAPACITY)) for record in (a, b)]
    return replace(figures_change(CAPACITY, *both), qualifier=", ".join(bounds[0]))


def _common(a: RunRecord, b: RunRecord) -> tuple[PooledLoad, PooledLoad] | None:
    """The loads of both with the highest rate of one arrival law that both have a p99 at."""
    of_a, of_b = ({_place(load): load for load in _known(record)} for record in (a, b))
    places = [place for place in of_a if place in of_b]
    best = max(places, key=lambda place: place[1], default=None)
    return None if best is None else (of_a[best], of_b[best])


def _known(record: RunRecord) -> list[PooledLoad]:
    every = pooled_loads(replace(load, bound="") for load in record.loads)
    return [load for load in every if load.offered_per_s and load.metric(P99)]


def _place(load: PooledLoad) -> tuple[str, float]:
    return load.arrivals, load.rate_per_s or 0.0
