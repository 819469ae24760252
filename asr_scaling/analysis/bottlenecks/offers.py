"""What would make a system faster: what is possible, by how much, and what it brought once tried.

A gain follows from what was measured of each stage elsewhere (lever_facts.py), stage by stage, so
that it fits the call at hand; its bound is Amdahl's (1967) over all stages that are touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from asr_scaling.analysis.bottlenecks.diagnosis import amdahl
from asr_scaling.analysis.bottlenecks.lever_facts import (
    LEAST_AMOUNT,
    Effects,
    Expected,
    expected,
)
from asr_scaling.analysis.bottlenecks.levers import BY_NAME, LEVERS, Lever
from asr_scaling.analysis.bottlenecks.measured_effects import EFFECTS
from asr_scaling.analysis.bottlenecks.possible import refusal
from asr_scaling.analysis.bottlenecks.timed import Timed
from asr_scaling.analysis.comparison.verdict import RTFX
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import compare_points
from asr_scaling.core.statistics import Interval

WORTH_OFFERING = 1.05
"""A likely gain below which nothing is offered."""
NO_BOUND = 20.0
"""A bound from which on it says nothing."""
NOISE = 0.07
"""Standard deviation of the logarithm of the quotient of two processes' speeds on shared machines:
about √2 times 5 %, by what processes of one command differ by (docs/results)."""
_LIMIT = 1.96
"""Standard deviations of a normal value that 95 % are within."""
Possible = Callable[[Point, Sequence[str], str | None, int | None], str | None]
"""Why a point's system can't run with optimisations more, another engine or batch; None: it can."""


@dataclass(frozen=True)
class Kept:
    """What an offer brought once it was tried.

    point: what was measured.
    gain: RTFx over that without it.
    interval: of 95 %; None where there was too little for one.
    """

    point: Point
    gain: float
    interval: Interval | None


@dataclass(frozen=True)
class Offer:
    """One way to make the system of a point faster.

    lever: what it is.
    added: optimisations that are chosen for it, with those that must come along.
    gain: of RTFx, the most likely: 2.0 is twice as fast.
    interval: of 95 % for what a measurement will show.
    bound: most that it can bring, if all stages it touches cost nothing; None where nothing else
        is left to bound it.
    touched: these stages.
    elsewhere: whether its effect was measured on other processors, engines or families only.
    kept: what it brought; None where it was not tried.
    """

    lever: Lever
    added: tuple[str, ...]
    gain: float
    interval: Interval
    bound: float | None
    touched: tuple[str, ...]
    elsewhere: bool
    kept: Kept | None = None

    @property
    def option(self) -> str:
        """As it is written on the command line."""
        if self.lever.kind == "optimisation":
            return f"optimisation=[{','.join(self.added)}]"
        return f"{self.lever.kind}={self.lever.name}"


def offers(
    point: Point,
    beside: Sequence[Point] = (),
    *,
    possible: Possible = refusal,
    effects: Effects = EFFECTS,
) -> list[Offer]:
    """What would make the system of ``point`` faster, the largest gain first.

    beside: other points of the same sources, among which what was tried is looked for.
    """
    timed = Timed.of(point)
    found = []
    for lever in LEVERS:
        offer = _offer(lever, timed, effects)
        if offer and offer.gain >= WORTH_OFFERING and _fits(offer, point, possible):
            found.append(replace(offer, kept=_kept(offer, point, beside)))
    return sorted(found, key=lambda offer: -offer.gain)


def _offer(lever: Lever, timed: Timed, effects: Effects) -> Offer | None:
    """What the lever is expected to bring; None where nothing is known, or it changes nothing."""
    if not _sensible(lever, timed):
        return None
    needed = [name for name in lever.needs.get(timed.engine, ()) if name not in timed.optimisations]
    parts = [lever, *(BY_NAME[name] for name in needed)]
    effect = [expected(part, timed, effects) for part in parts]
    if not timed.call_s or not all(effect):
        return None
    likely, low, high = _factors(timed, effect)
    touched = tuple(dict.fromkeys(s for part in parts for s in part.touched(timed.stages)))
    share = math.fsum(timed.stages[stage] for stage in touched) / timed.call_s
    bound = amdahl(min(share, 1.0)) if lever.kind == "optimisation" else math.inf
    most = bound if bound < NO_BOUND else None
    interval = Interval(min(low, bound), min(high, bound))
    unlike = any(each.elsewhere for one in effect for each in one.values())
    added = (lever.name, *needed) if lever.kind == "optimisation" else ()
    return Offer(lever, added, min(likely, bound), interval, most, touched, unlike)


def _sensible(lever: Lever, timed: Timed) -> bool:
    """Whether engine and processor have it, it isn't there yet, and there is enough to gain."""
    plain = not timed.optimisations
    return (
        (not lever.engines or timed.engine in lever.engines)
        and (not lever.processors or timed.processor in lever.processors)
        and lever.name not in timed.optimisations
        and (lever.kind != "engine" or plain)
        and lever.how_much(timed) >= LEAST_AMOUNT[lever.amount]
    )


def _factors(timed: Timed, effect: Sequence[dict[str, Expected]]) -> tuple[float, float, float]:
    """The likely gain and the ends of its interval.

    The stages are taken to differ together, all as much more or less as they may; what two
    processes differ by comes on top.
    """
    spent = {-1: 0.0, 0: 0.0, 1: 0.0}
    for stage, seconds in timed.stages.items():
        known = [one[stage] for one in effect if stage in one]
        mean = math.fsum(each.mean for each in known)
        half = math.hypot(*(each.half for each in known))
        for side in spent:
            spent[side] += seconds * math.exp(mean + side * half)
    call_s = timed.call_s
    likely = call_s / spent[0]
    down = math.hypot(math.log(spent[1] / spent[0]), _LIMIT * NOISE)
    up = math.hypot(math.log(spent[0] / spent[-1]), _LIMIT * NOISE)
    return likely, likely * math.exp(-down), likely * math.exp(up)


def _fits(offer: Offer, point: Point, possible: Possible) -> bool:
    lever = offer.lever
    engine = lever.name if lever.kind == "engine" else None
    batch = int(lever.name) if lever.kind == "batch" else None
    return possible(point, offer.added, engine, batch) is None


def _kept(offer: Offer, point: Point, beside: Sequence[Point]) -> Kept | None:
    """What came, where some point is the same but for what is offered."""
    tried = [other for other in beside if other.ok and _is_tried(offer, point, other)]
    if not tried:
        return None
    other = min(tried, key=lambda each: abs(each.started_at - point.started_at))
    if offer.lever.kind == "batch":
        one, two = point.judged(RTFX), other.judged(RTFX)
        return Kept(other, two / one, None) if one and two else None
    row = compare_points(other, point).row(RTFX)
    if row.relative is None:
        return None
    ends = row.interval and Interval(1 + row.interval.low, 1 + row.interval.high)
    return Kept(other, 1 + row.relative, ends)


def _is_tried(offer: Offer, point: Point, other: Point) -> bool:
    lever = offer.lever
    return (
        other.engine == (lever.name if lever.kind == "engine" else point.engine)
        and other.batch == (int(lever.name) if lever.kind == "batch" else point.batch)
        and set(other.optimisations) == {*point.optimisations, *offer.added}
        and _place(other, lever) == _place(point, lever)
    )


def _place(point: Point, lever: Lever) -> tuple[object, ...]:
    """What two points must have in common for one to show what was offered for the other."""
    options = {
        name: value
        for name, value in point.options.items()
        if not name.startswith("optimisation.") and (lever.kind != "engine" or "." in name)
    }
    speech = (point.dataset, point.content, point.length_s)
    where = (point.device, point.hardware, point.machine)
    return (
        point.model,
        point.weights,
        point.decoding,
        *where,
        *speech,
        tuple(sorted(options.items())),
    )
