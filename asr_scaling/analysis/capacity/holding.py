"""Whether a system is shown to hold so many requests a second under a bound on their latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from asr_scaling.analysis.capacity.curves import LOAD_WER, TAILS, Curve, furthest
from asr_scaling.analysis.format import plain, with_interval
from asr_scaling.core.load_metrics import LOST_SHARES
from asr_scaling.core.pooled_loads import PooledLoad
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import ConfigError
from asr_scaling.load.bound import Bound, Percentile, parsed

Answer = Literal["held", "not held", "undecided"]
_OF_USERS = ("poisson", "trace")
"""Laws by which users arrive. Evenly spaced requests wait less, and clients that wait for their
answers send less while the system is slow: neither says what users would see."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a system.

    per_s: requests a second; None for as many as it holds.
    bound: what is to be kept, as "p99<2s".
    """

    per_s: float | None
    bound: str


@dataclass(frozen=True)
class Holding:
    """What a system's loads say of what is asked.

    answer: "held" where the interval of its capacity is above, or a load of as many requests kept
        the bound with its interval.
    sure_per_s: the rate that it is shown to hold; 0 where there is none.
    said: what it holds, as "2.70 ± 0.13 requests/s with p99<2s".
    curve: what that is from; None where no load counts.
    """

    answer: Answer
    sure_per_s: float
    said: str
    curve: Curve | None


def bound_of(text: str) -> Bound | None:
    """The bound that a record names; None where it is none that this version knows."""
    try:
        return parsed(text)
    except ConfigError:
        return None


def tail_of(curves: Sequence[Curve]) -> str | None:
    """The percentile that curves are drawn by, as "p99": that of their bound, where it is one.

    Else the furthest out that all loads have; None where there is none.
    """
    steps = [step for curve in curves for step in curve.steps]
    bounds = [bound_of(curve.bound) for curve in curves if curve.bound]
    names = {f"p{b.hardest.percentile:g}" for b in bounds if b and b.hardest}
    name = names.pop() if len(names) == 1 else None
    known = name in TAILS and any(step.metric(TAILS[name]) for step in steps)
    return name if known else furthest(steps)


def implies(text: str, other: str) -> bool:
    """Whether what keeps one bound keeps the other: each of its terms is as strict, or stricter."""
    ours, theirs = bound_of(text), bound_of(other)
    if ours is None or theirs is None:
        return text == other
    errors, wer = _stricter(ours.errors, theirs.errors), _stricter(ours.wer, theirs.wer)
    return errors and wer and all(_has(ours, term) for term in theirs.percentiles)


def _has(bound: Bound, term: Percentile) -> bool:
    """Whether a percentile as far out, or further, is within as short a time."""
    return any(
        own.percentile >= term.percentile and own.limit_s <= term.limit_s
        for own in bound.percentiles
    )


def _stricter(own: float | None, other: float | None) -> bool:
    return other is None or (own is not None and own <= other)


def holding(curves: Sequence[Curve], asked: Asked) -> Holding:
    """What the ``curves`` of one system say of what is ``asked``."""
    counted = [curve for curve in curves if curve.arrivals in _OF_USERS]
    strict = [curve for curve in counted if curve.bound and implies(curve.bound, asked.bound)]
    curve = max(strict or counted, key=_requests, default=None)
    if curve is None:
        return Holding("undecided", 0.0, "no load of requests as users send them", None)
    found = [each.capacity for each in strict if each.capacity and each.capacity[1]]
    sure = [ends.low for _, ends in found if ends] + _kept(counted, asked)
    least = max(sure, default=0.0)
    return Holding(_answer(counted, asked, least), least, _said(curve, asked, least), curve)


def _answer(curves: Sequence[Curve], asked: Asked, sure: float) -> Answer:
    if asked.per_s is None:
        return "held" if sure else "undecided"
    bound = bound_of(asked.bound)
    steps = [step for curve in curves for step in curve.steps] if bound else []
    broken = any(_breaks(step, asked, bound) for step in steps if bound)
    if sure >= asked.per_s:
        return "undecided" if broken else "held"
    weaker = [curve for curve in curves if curve.bound and implies(asked.bound, curve.bound)]
    ends = [curve.capacity[1] for curve in weaker if curve.capacity]
    below = any(interval is not None and interval.high < asked.per_s for interval in ends)
    return "not held" if broken or below else "undecided"


def _kept(curves: Sequence[Curve], asked: Asked) -> list[float]:
    """Rates of loads that kept what is asked, with the intervals of their latencies."""
    bound = bound_of(asked.bound)
    steps = [step for curve in curves for step in curve.steps]
    return [step.offered_per_s or 0.0 for step in steps if bound and _keeps(step, bound)]


def _keeps(step: PooledLoad, bound: Bound) -> bool:
    """Whether every term is shown to be kept."""
    if any(load.verdict == "overloaded" for load in step.loads):
        return False
    terms = [(_interval(step, term), term.limit_s) for term in bound.percentiles]
    if bound.wer is not None:
        terms.append((step.interval(LOAD_WER), bound.wer / 100))
    lost = sum(step.value(name) or 0.0 for name in LOST_SHARES)
    few = bound.errors is None or lost <= bound.errors
    return few and all(ends is not None and ends.high <= most for ends, most in terms)


def _breaks(step: PooledLoad, asked: Asked, bound: Bound) -> bool:
    """Whether a load of no more requests than asked is shown not to keep the bound."""
    if (step.offered_per_s or 0.0) > (asked.per_s or 0.0):
        return False
    if step.verdict == "overloaded":
        return True
    terms = [(_interval(step, term), term.limit_s) for term in bound.percentiles]
    return any(ends is not None and ends.low > most for ends, most in terms)


def _said(curve: Curve, asked: Asked, sure: float) -> str:
    """What it holds, under its own bound."""
    if curve.capacity:
        return f"{with_interval(*curve.capacity)} requests/s with {curve.bound}"
    if sure:
        return f"at least {plain(sure)} requests/s with {asked.bound}"
    rates = [step.offered_per_s for step in curve.steps if step.offered_per_s]
    tried = f"loads of {', '.join(map(plain, rates))} requests/s" if rates else "no load"
    return f"{tried} show no rate at which {asked.bound} is kept"


def _interval(step: PooledLoad, term: Percentile) -> Interval | None:
    return step.interval(f"load/latency_p{term.percentile:g}_s")


def _requests(curve: Curve) -> tuple[bool, int]:
    return curve.capacity is not None, sum(step.counted for step in curve.steps)
