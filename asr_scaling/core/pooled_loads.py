"""Loads of one rate put together, so that repeated probes are one place on a curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.core.load_point import Arrivals, LoadPoint
from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import Interval, sum_interval
from asr_scaling.util.groups import grouped

_DIGITS = 6
"""Rates that agree in so many digits are one."""
_NORMAL = 1.96
"""Standard errors in half an interval of 95 %."""
_GREATEST = ("load/latency_max_s", "load/generator_late_max_s")
"""Of these the greatest counts, not the mean."""


@dataclass(frozen=True)
class PooledLoad:
    """All loads of one rate, or of one number of clients, on one service.

    loads: the repeated probes, in the order in which they were taken.
    metrics: of those whose generator kept its schedule; of all where none did.
    """

    loads: tuple[LoadPoint, ...]
    metrics: tuple[Metric, ...]

    @property
    def arrivals(self) -> Arrivals:
        """By which law requests arrived."""
        return self.loads[0].arrivals

    @property
    def offered_per_s(self) -> float | None:
        """Requests a second of the schedule; None where clients wait for answers."""
        return self.loads[0].offered_per_s

    @property
    def rate_per_s(self) -> float | None:
        """The same in so many digits as make loads ones of one rate."""
        return _rate(self.loads[0])

    @property
    def clients(self) -> int | None:
        """Clients of closed arrivals; None of others."""
        return self.loads[0].clients

    @property
    def bound(self) -> str:
        """As it was asked for; empty without one."""
        return self.loads[0].bound

    @property
    def counted(self) -> int:
        """Requests that the metrics are of."""
        return sum(load.counted for load in _kept(self.loads))

    @property
    def withheld(self) -> bool:
        """Whether no generator kept its schedule, so that nothing is said of the service."""
        return all(load.verdict == "withheld" for load in self.loads)

    @property
    def held(self) -> bool:
        """Whether the bound was kept each time that this could be told."""
        return {load.verdict for load in _kept(self.loads)} - {"undecided"} == {"held"}

    @property
    def broken(self) -> bool:
        """Whether the bound was broken each time that this could be told."""
        verdicts = {load.verdict for load in _kept(self.loads)} - {"undecided"}
        return bool(verdicts) and verdicts <= {"broken", "overloaded"}

    @property
    def verdict(self) -> str:
        """That of its loads: "held", or "held 2 of 3" where they differ."""
        verdicts = [load.verdict for load in _kept(self.loads)]
        if len(set(verdicts)) == 1:
            return verdicts[0]
        held = verdicts.count("held")
        others = sorted(set(verdicts) - {"held"})
        return f"held {held} of {len(verdicts)}" if held else " and ".join(others)

    def metric(self, name: str) -> Metric | None:
        """The pooled metric of that name; None where no load has it."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def value(self, name: str) -> float | None:
        """The value of that metric; None where no load has it."""
        found = self.metric(name)
        return None if found is None else found.value

    def interval(self, name: str) -> Interval | None:
        """The interval of that metric; None where some load has none."""
        found = self.metric(name)
        return None if found is None else found.interval


def pooled_loads(loads: Iterable[LoadPoint]) -> tuple[PooledLoad, ...]:
    """The loads of each arrival law, bound and rate put together, lower rates first.

    Closed loads are sorted by clients and never put together with others.
    """
    groups = grouped(loads, _place).values()
    found = [PooledLoad(tuple(group), _metrics(group)) for group in groups]
    return tuple(sorted(found, key=lambda each: (each.offered_per_s or 0.0, each.clients or 0)))


def _place(load: LoadPoint) -> tuple[object, ...]:
    return load.arrivals, load.bound, _rate(load), load.clients


def _rate(load: LoadPoint) -> float | None:
    rate = load.offered_per_s
    return None if rate is None else float(f"{rate:.{_DIGITS}g}")


def _kept(loads: Sequence[LoadPoint]) -> Sequence[LoadPoint]:
    """Those whose generator kept its schedule; all where none did."""
    return [load for load in loads if load.verdict != "withheld"] or loads


def _metrics(loads: Sequence[LoadPoint]) -> tuple[Metric, ...]:
    kept = _kept(loads)
    names = dict.fromkeys(metric.name for load in kept for metric in load.metrics)
    return tuple(_pooled(name, kept) for name in names)


def _pooled(name: str, loads: Sequence[LoadPoint]) -> Metric:
    """The mean over loads by their counted requests.

    A percentile is then a mean of percentiles, as no load keeps its requests' times. Intervals are
    taken as independent. Where the loads differ by more than their intervals explain, the interval
    is widened by Birge's ratio (Birge 1932, Physical Review 40).
    """
    found = [(metric, load.counted) for load in loads if (metric := load.metric(name))]
    metrics = [metric for metric, _ in found]
    if len(metrics) == 1:
        return metrics[0]
    sizes = [metric.n for metric in metrics]
    n = None if None in sizes else sum(size or 0 for size in sizes)
    if name in _GREATEST:
        return Metric(name, max(metric.value for metric in metrics), n)
    total = sum(counted for _, counted in found)
    weights = [counted / total if total else 1 / len(found) for _, counted in found]
    values = [metric.value for metric in metrics]
    mean = math.fsum(w * v for w, v in zip(weights, values, strict=True))
    interval = sum_interval(values, [metric.interval for metric in metrics], weights)
    return Metric(name, mean, n, interval and _widened(interval, mean, metrics))


def _widened(interval: Interval, mean: float, metrics: Sequence[Metric]) -> Interval:
    """As much wider as the values differ beyond their own intervals."""
    squares = [0.0]
    for metric in metrics:
        if metric.interval is None:
            return interval
        above = metric.value > mean
        half = metric.value - metric.interval.low if above else metric.interval.high - metric.value
        squares.append((_NORMAL * (metric.value - mean) / half) ** 2 if half > 0 else 0.0)
    birge = max(1.0, math.sqrt(math.fsum(squares) / (len(metrics) - 1)))
    return Interval(mean - birge * (mean - interval.low), mean + birge * (interval.high - mean))
