"""Pareto fronts: what nothing else beats in every cost at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX, WER
from asr_scaling.analysis.format import latency_metric
from asr_scaling.analysis.points import Point
from asr_scaling.core.metrics import metric_spec
from asr_scaling.util.groups import grouped

_T = TypeVar("_T")
LATENCIES = ("latency/p95_s", "latency/p50_s", "latency/mean_s")
"""The first that every point has counts: a percentile is withheld where too few calls bound it."""
AXES = (RTFX, ENERGY, "memory/peak_device_bytes", "memory/peak_rss_bytes", WER)


def front(things: Sequence[_T], costs: Callable[[_T], tuple[float, ...] | None]) -> list[_T]:
    """The things that no other dominates, by ascending costs; of every cost less is better.

    One dominates another when it is no worse in any cost and better in one (Pareto), so equal
    things stay together. Things without costs (None) are left out.
    """
    ranked = [
        (cost, place) for place, thing in enumerate(things) if (cost := costs(thing)) is not None
    ]
    kept: list[tuple[tuple[float, ...], int]] = []
    for cost, place in sorted(ranked):  # only what is ranked before can dominate
        if not any(_dominates(other, cost) for other, _ in kept):
            kept.append((cost, place))
    return [things[place] for _, place in kept]


def _dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def front_in_metrics(
    things: Sequence[_T], values: Callable[[_T], Mapping[str, float]]
) -> tuple[list[_T], tuple[str, ...]]:
    """The front in all metrics that every thing has, and these metrics: a latency and ``AXES``."""
    if not things:
        return [], ()
    common = set.intersection(*(set(values(thing)) for thing in things))
    latency = [name for name in LATENCIES if name in common][:1]
    axes = [*latency, *(name for name in AXES if name in common)]
    signs = [-1 if metric_spec(name).better == "higher" else 1 for name in axes]

    def costs(thing: _T) -> tuple[float, ...]:
        row = values(thing)
        return tuple(sign * row[name] for sign, name in zip(signs, axes, strict=True))

    return front(things, costs), tuple(axes)


@dataclass(frozen=True)
class CostAxis:
    """A cost that WER is held against."""

    name: str
    metric: Callable[[Point], str]
    """Which metric of a point counts."""
    higher: bool = False
    """Whether more of the metric is better."""
    single: bool = False
    """Whether only batch 1 counts, as an utterance waits for all of its batch."""

    def cost(self, point: Point) -> float | None:
        """Less is better; None where it is not known."""
        value = point.judged(self.metric(point)) or None
        return 1 / value if value and self.higher else value

    def has(self, point: Point) -> bool:
        """Whether a point can be on a front: its batch counts, WER and cost are known."""
        return self._both(point) is not None and (point.batch == 1 or not self.single)

    def _both(self, point: Point) -> tuple[float, float] | None:
        cost, wer = self.cost(point), point.value(point.error_rate)
        return None if cost is None or wer is None else (cost, wer)

    def fronts(self, points: Sequence[Point]) -> dict[str, list[Point]]:
        """Device → its front of WER against this cost, cheapest first."""
        devices = grouped((p for p in points if self.has(p)), lambda point: point.device)
        return {device: front(members, self._both) for device, members in devices.items()}


RTFX_AXIS = CostAxis("rtfx", lambda _: RTFX, higher=True)
LATENCY_AXIS = CostAxis("latency", latency_metric, single=True)
ENERGY_AXIS = CostAxis("energy", lambda _: ENERGY)
