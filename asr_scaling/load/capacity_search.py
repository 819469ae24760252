"""The highest rate that keeps a bound: which loads are tried, and when it is known well enough."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.statistics import Interval
from asr_scaling.load.bound import Bound
from asr_scaling.load.capacity_estimate import capacity_edge
from asr_scaling.load.edge import Edge, Method
from asr_scaling.load.probed import Judged, Prober, judged
from asr_scaling.load.queue_law import Gaps

Ended = Literal["precision", "time", "nothing held", "everything held"]
"""Why the search ended: known well enough; no time for another load; no load, or every one, kept
the bound."""
_NEAR = 1.15
"""A load is near a rate when neither is more than so many times the other."""
_AROUND = (0.94, 1.0, 1.07)
"""Rates of repeated loads over that of the edge."""
_MARGIN = 1.1
"""Requests of a load over those that the bound needs: so many more, for a start that is cut."""
_SHORTEST = 0.2
"""Of the requests that a load needs, so many are worth sending where there is no time for one load:
each tells how long a call takes."""
_FEWEST = 200
"""Requests of a load at least: a queue that begins empty takes some hundred to reach its length."""
_SAYS_NOTHING = ("withheld", "undecided")
"""Verdicts after which the same rate is tried again."""
_SILENT = 3
"""Such loads in a row that end the search."""


@dataclass(frozen=True)
class Plan:
    """How the highest rate is searched.

    start_per_s: the first rate; about half of what the service does at most is a good one.
    precision: relative distance from the rate to the ends of its interval that is good enough.
    highest_per_s: no rate above it is tried.
    lowest_per_s: no rate below it is tried.
    gaps: the law of the arrivals.
    seed: of the order of the loads and of simulated queues.
    """

    start_per_s: float
    precision: float = 0.1
    highest_per_s: float = 1000.0
    lowest_per_s: float = 0.001
    gaps: Gaps = "poisson"
    seed: int = 42

    def __post_init__(self) -> None:
        """Raises ConfigError when a rate or the precision can't work."""
        rates = 0 < self.lowest_per_s <= self.start_per_s <= self.highest_per_s < math.inf
        must_be("the first rate", self.start_per_s, rates, "between the lowest and the highest")
        fits = 0 < self.precision < 1
        must_be("scenario.precision", self.precision, fits, "between 0 and 1")


@dataclass(frozen=True)
class Capacity:
    """The highest rate that keeps a bound.

    rate_per_s: None where no load, or every one, kept it, or the loads do not say.
    interval: of that rate; without a rate, what is known of it; None where nothing is.
    probes: all loads in order.
    ended: why the search ended.
    why: what a reader must know of that, in a sentence or two.
    method: what the rate follows from; None without a rate.
    """

    rate_per_s: float | None
    interval: Interval | None
    probes: tuple[Judged, ...]
    ended: Ended
    why: str
    method: Method | None = None


def find_capacity(bound: Bound, prober: Prober, plan: Plan) -> Capacity:
    """The highest rate at which the service keeps the bound for ever.

    The rate is doubled, or halved, until it is between a load that kept the bound and one that did
    not; then it is bisected; then loads around the edge are repeated in an order drawn by the seed.
    Where the loads so far already say where the edge is (load/capacity_estimate.py), the next load
    is there, within those steps. No load has fewer requests than the bound's percentiles need,
    unless there is no time for any: a first one that is shorter is no verdict, and tells how long
    calls take.
    """
    return _Search(bound, prober, plan).run()


@dataclass
class _Search:
    """The loads so far."""

    bound: Bound
    prober: Prober
    plan: Plan
    loads: list[Judged] = field(default_factory=list)
    ahead: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.plan.seed)
        self.requests = max(math.ceil(_MARGIN * self.bound.requests) + 5, _FEWEST)

    def run(self) -> Capacity:
        """All loads, and the answer."""
        rate, edge = self.plan.start_per_s, None
        while requests := self._affordable(rate):
            probed = self.prober.probe(rate, requests)
            self.loads.append(judged(probed, self.bound, self.requests))
            self._allow_for(self.loads[-1])
            last = self.loads[-_SILENT:]
            if len(last) == _SILENT and all(load.verdict in _SAYS_NOTHING for load in last):
                return self._answer(edge, "time", f"{_SILENT} loads in a row say nothing. ")
            edge = capacity_edge(self.loads, self.bound, self.plan.gaps, self.plan.seed)
            ended = self._ended(edge)
            if ended is not None:
                return self._answer(edge, ended)
            rate = self._next(edge)
        return self._answer(edge, "time", self._no_time(rate))

    def _affordable(self, rate_per_s: float) -> int:
        """Requests of the next load; 0 where no time is left for it."""
        share = self.prober.left_s() / self._seconds(rate_per_s)
        if share >= 1:
            return self.requests
        return int(share * self.requests) if not self.loads and share > _SHORTEST else 0

    def _allow_for(self, load: Judged) -> None:
        """Longer loads after one that settled so late that too few requests followed."""
        needed, sent = self.bound.requests, len(load.probed.due_s)
        if sent >= load.asked and load.verdict == "undecided" and sent - load.cut < needed:
            self.requests = max(self.requests, needed + min(2 * load.cut, needed))

    @property
    def _held(self) -> float:
        """The highest rate that kept the bound; 0 where none did."""
        return max((load.rate_per_s for load in self.loads if load.verdict == "held"), default=0.0)

    @property
    def _not_held(self) -> float:
        """The lowest rate that did not; inf where all did."""
        verdicts = {"broken", "overloaded"}
        rates = [load.rate_per_s for load in self.loads if load.verdict in verdicts]
        return min(rates, default=math.inf)

    def _ended(self, edge: Edge | None) -> Ended | None:
        if self._not_held == math.inf and self._held >= self.plan.highest_per_s:
            return "everything held"
        if self._held == 0 and self._not_held <= self.plan.lowest_per_s:
            return "nothing held"
        if edge is None:
            return None
        if edge.interval.high <= self.plan.lowest_per_s and self._held == 0:
            return "nothing held"
        known = edge.precision <= self.plan.precision
        return "precision" if known and self._tried_near(edge.rate_per_s) else None

    def _tried_near(self, rate_per_s: float) -> bool:
        """Whether a load of full length was near the rate, and another one anywhere."""
        settled = [load.rate_per_s for load in self.loads if load.settled]
        near = [rate for rate in settled if rate / _NEAR <= rate_per_s <= rate * _NEAR]
        return len(self.loads) > 1 and len(near) > 0

    def _next(self, edge: Edge | None) -> float:
        """The rate of the next load."""
        held, not_held = self._held, self._not_held
        if self.loads[-1].verdict in _SAYS_NOTHING:
            return self.loads[-1].rate_per_s
        low = held or max(not_held / 2, self.plan.lowest_per_s)
        high = not_held if not_held < math.inf else min(2 * held, self.plan.highest_per_s)
        expected = edge.rate_per_s if edge else 0.0
        if held > not_held or (edge and self._tried_near(expected)):
            return self._around(edge.rate_per_s if edge else math.sqrt(held * not_held))
        if not (held and not_held < math.inf):
            outward = high if held else low
            return expected if low < expected < high else outward
        return expected if low < expected < high else math.sqrt(low * high)

    def _around(self, rate_per_s: float) -> float:
        """One of the repeated loads around the edge."""
        if not self.ahead:
            self.ahead = list(self.rng.permutation(_AROUND))
        rate = rate_per_s * self.ahead.pop()
        return float(min(max(rate, self.plan.lowest_per_s), self.plan.highest_per_s))

    def _seconds(self, rate_per_s: float) -> float:
        """How long a load may take; gaps that are drawn add up to more or less."""
        return self.requests / rate_per_s * (1 + 2 / math.sqrt(self.requests))

    def _no_time(self, rate_per_s: float) -> str:
        seconds = self._seconds(rate_per_s)
        left = max(self.prober.left_s(), 0.0)
        return (
            f"Another load of {self.requests} requests at {rate_per_s:.3g}/s may take"
            f" {seconds:.0f} s and {left:.0f} s are left. "
        )

    def _answer(self, edge: Edge | None, ended: Ended, why: str = "") -> Capacity:
        held, not_held = self._held, self._not_held
        probes = tuple(self.loads)
        if ended == "everything held":
            why += f"The highest rate that is tried, {held:.3g}/s, kept {self.bound}."
            return Capacity(None, Interval(held, math.inf), probes, ended, why)
        if ended == "nothing held":
            why += f"{not_held:.3g}/s did not keep {self.bound}, and no lower rate is to."
            return Capacity(None, Interval(0.0, not_held), probes, ended, why)
        if edge is None or edge.rate_per_s <= 0 or edge.interval.high == math.inf:
            known = Interval(held, not_held) if 0 < held < not_held else None
            return Capacity(None, known, probes, ended, f"{why}The loads do not say a rate.")
        why += f"By {edge.law}." if edge.method == "queue" else "By late requests alone."
        if not self._tried_near(edge.rate_per_s):
            why += " No load near that rate was tried: it is extrapolated."
        elif edge.precision > self.plan.precision:
            why += f" Its interval is wider than {100 * self.plan.precision:.3g} %."
        return Capacity(edge.rate_per_s, edge.interval, probes, ended, why.strip(), edge.method)
