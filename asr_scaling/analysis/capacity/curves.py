"""The latency–load curve of each system, how many requests it holds, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.points import Point
from asr_scaling.core.energy_methods import power_known
from asr_scaling.core.judged import Stated
from asr_scaling.core.load_point import Arrivals, LoadPoint
from asr_scaling.core.metric import Metric
from asr_scaling.core.pooled_loads import PooledLoad, pooled_loads
from asr_scaling.core.statistics import sum_interval
from asr_scaling.core.typed_json import number
from asr_scaling.util.groups import grouped

CAPACITY, RTFX_HELD = "capacity/rate_per_s", "capacity/rtfx"
P50, P99 = "load/latency_p50_s", "load/latency_p99_s"
TAILS = {name: f"load/latency_{name}_s" for name in ("p99", "p95", "p90", "p50")}
"""Percentiles of latency, the furthest out first."""
LOAD_WER, RTFX_AT = "load/wer", "load/rtfx"
JOULES = "load/energy_per_audio_hour_j"
"""Joules per hour of audio under load."""
_HOUR_S = 3600.0
System = tuple[object, ...]
"""What points of one system have in common."""


@dataclass(frozen=True)
class Curve:
    """What loads of one arrival law and one bound showed of a system.

    Points that differ only in what they were given to do are one system.

    point: of the system's points the one whose loads have most requests.
    points: all of them, in their order.
    arrivals: by which law requests arrived.
    bound: as it was asked for; empty without one.
    steps: the loads by rate, repeated ones put together; of closed arrivals by clients.
    withheld: loads of which nothing is known, for the generator did not keep its schedule.
    """

    point: Point
    points: tuple[Point, ...]
    arrivals: Arrivals
    bound: str
    steps: tuple[PooledLoad, ...]
    withheld: tuple[LoadPoint, ...]

    @property
    def closed(self) -> bool:
        """Whether clients waited for their answers before they sent again."""
        return self.arrivals == "closed"

    def serving(self, option: str) -> float | None:
        """A number among the options of how it is served; None where there is no such one."""
        return number((self.point.config.get("serving") or {}).get(option))

    @property
    def searched(self) -> Point | None:
        """The point whose search found the capacity; None where none did."""
        found = [point for point in self.points if CAPACITY in point.values]
        of_it = [p for p in found if any(load.bound == self.bound for load in p.loads)]
        return max(of_it, key=_requests, default=None)

    @property
    def capacity(self) -> Stated | None:
        """Requests a second that it holds, with the interval; None where no search found it."""
        point = self.searched
        return None if point is None else (point.values[CAPACITY], point.intervals.get(CAPACITY))

    @property
    def held_to(self) -> float | None:
        """The highest rate at which the bound was kept; None where it never was."""
        return max((_rate(step) for step in self.steps if step.held), default=None)

    @property
    def broken_from(self) -> float | None:
        """The lowest rate above those at which it was not kept; None where there is none."""
        above = self.held_to or 0.0
        broken = (_rate(step) for step in self.steps if step.broken)
        return min((rate for rate in broken if rate > above), default=None)

    @property
    def holds(self) -> float | None:
        """Requests a second that it holds: its capacity, else the highest rate that was held."""
        return self.capacity[0] if self.capacity else self.held_to

    @property
    def why_none(self) -> str:
        """Why no capacity is known, as a sentence; empty where it is."""
        if self.capacity is not None:
            return ""
        said = (point.unavailable.get(CAPACITY) for point in self.points)
        return next(filter(None, said), "No search was made: scenario=capacity makes one.")

    def near(self, rate: float, metric: str = P50) -> PooledLoad | None:
        """Of the loads that have ``metric`` and kept the bound the one nearest to ``rate``.

        Where no bound was asked for, of all.
        """
        known = [step for step in self.steps if step.metric(metric) and _rate(step) > 0]
        kept = [step for step in known if step.held or step.verdict == "unasked"]
        return min(kept, key=lambda step: abs(math.log(_rate(step) / rate)), default=None)


@dataclass(frozen=True)
class Cost:
    """What an hour of audio costs at one load.

    load: the one that was measured.
    machine_s: seconds for which the machine is taken.
    joules: energy, idle moments included; None where it is not known or was guessed.
    """

    load: PooledLoad
    machine_s: float | None
    joules: Stated | None


def curves(points: Iterable[Point]) -> list[Curve]:
    """The curves of all systems among ``points`` that have loads, in the order they come.

    points: with names that tell them apart (analysis/system_names.py).
    """
    found = []
    loaded = [point for point in points if point.loads]
    for members in grouped(loaded, system_of).values():
        loads = [(point, load) for point in members for load in point.loads]
        kinds = grouped(loads, lambda pair: (pair[1].arrivals, pair[1].bound))
        for (arrivals, bound), pairs in kinds.items():
            own = list(dict.fromkeys(id(point) for point, _ in pairs))
            those = tuple(point for point in members if id(point) in own)
            found.append(_curve(those, arrivals, bound, [load for _, load in pairs]))
    return found


def _curve(
    points: tuple[Point, ...], arrivals: Arrivals, bound: str, loads: Sequence[LoadPoint]
) -> Curve:
    steps = tuple(step for step in pooled_loads(loads) if not step.withheld)
    withheld = tuple(load for load in loads if load.verdict == "withheld")
    return Curve(max(points, key=_requests), points, arrivals, bound, steps, withheld)


def furthest(loads: Iterable[PooledLoad]) -> str | None:
    """The percentile furthest out that all loads have, as "p99": few requests bound no far one.

    None where there is no load, or where they have none in common.
    """
    loads = list(loads)
    common = (name for name, metric in TAILS.items() if all(step.metric(metric) for step in loads))
    return next(common, None) if loads else None


def cost(curve: Curve, rate: float) -> Cost | None:
    """What an hour of audio costs at the load nearest to ``rate`` requests a second.

    None where no load that kept the bound has a figure.
    """
    load = curve.near(rate, RTFX_AT)
    if load is None:
        return None
    rtfx, joules = load.value(RTFX_AT), load.metric(JOULES)
    known = joules is not None and power_known(curve.point.tags)
    stated = (joules.value, joules.interval) if joules is not None and known else None
    return Cost(load, _HOUR_S / rtfx if rtfx else None, stated)


def at_rate(curve: Curve, rate: float, metric: str, per_second: bool = False) -> Stated | None:
    """A metric at ``rate`` requests a second, on the line between the loads beside it.

    per_second: it is an amount for each request or audio, of which the amount a second is the line.
    Beyond the loads that were measured it is that of the nearest.
    """
    known = [(_rate(step), m) for step in curve.steps if (m := step.metric(metric))]
    below = max((pair for pair in known if pair[0] <= rate), key=_first, default=None)
    above = min((pair for pair in known if pair[0] >= rate), key=_first, default=None)
    if below is None or above is None or below == above:
        nearest = above if below is None else below
        return None if nearest is None else (nearest[1].value, nearest[1].interval)
    share = (rate - below[0]) / (above[0] - below[0])
    weights = [1 - share, share]
    if per_second:
        weights = [w * at / rate for w, at in zip(weights, (below[0], above[0]), strict=True)]
    values, ends = [below[1].value, above[1].value], [below[1].interval, above[1].interval]
    value = math.fsum(w * v for w, v in zip(weights, values, strict=True))
    return value, sum_interval(values, ends, weights)


def system_of(point: Point) -> System:
    """What a point is of, whatever it was given to do."""
    place = (point.system, point.device, point.dataset, point.content)
    return *place, point.length_s, point.batch


def _requests(point: Point) -> tuple[int, float]:
    return sum(load.counted for load in point.loads), point.started_at


def _first(pair: tuple[float, Metric]) -> float:
    return pair[0]


def _rate(step: PooledLoad) -> float:
    return step.offered_per_s or 0.0
