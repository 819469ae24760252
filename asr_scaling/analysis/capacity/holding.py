"""Whether a system is shown to hold so many requests a second under a bound on their latency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from asr_scaling.analysis.capacity.curves import Curve
from asr_scaling.analysis.format import plain, with_interval
from asr_scaling.core.pooled_loads import PooledLoad

Answer = Literal["held", "not held", "undecided"]
_OF_USERS = ("poisson", "trace")
"""Laws by which users arrive. Evenly spaced requests wait less, and clients that wait for their
answers send less while the system is slow: neither says what users would see."""
_LATENCY = re.compile(r"(?P<name>p\d{2}|mean|max)<=?(?P<value>\d*\.?\d+)(?P<unit>ms|s)?")
_UNITS = {"ms": 1e-3, "s": 1.0, None: 1.0}


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


def latencies(bound: str) -> tuple[dict[str, float], bool]:
    """Latency → seconds of what a bound asks, and whether it asks nothing else."""
    parts = [part.strip().replace(" ", "") for part in bound.split(",") if part.strip()]
    found = [_LATENCY.fullmatch(part) for part in parts]
    bounds = {m["name"]: float(m["value"]) * _UNITS[m["unit"]] for m in found if m}
    return bounds, all(found)


def implies(bound: str, other: str) -> bool:
    """Whether what keeps ``bound`` keeps ``other``: a stricter percentile, or a shorter time."""
    if bound == other:
        return True
    ours, (theirs, whole) = latencies(bound)[0], latencies(other)
    return whole and all(
        any(_percent(name) >= _percent(wanted) and own <= most for name, own in ours.items())
        for wanted, most in theirs.items()
    )


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
    broken = any(_breaks(step, asked) for curve in curves for step in curve.steps)
    if sure >= asked.per_s:
        return "undecided" if broken else "held"
    weaker = [curve for curve in curves if curve.bound and implies(asked.bound, curve.bound)]
    ends = [curve.capacity[1] for curve in weaker if curve.capacity]
    below = any(interval is not None and interval.high < asked.per_s for interval in ends)
    return "not held" if broken or below else "undecided"


def _kept(curves: Sequence[Curve], asked: Asked) -> list[float]:
    """Rates of loads that kept what is asked, with the intervals of their latencies."""
    return [
        step.offered_per_s or 0.0
        for curve in curves
        for step in curve.steps
        if _keeps(step, asked.bound)
    ]


def _keeps(step: PooledLoad, bound: str) -> bool:
    wanted, whole = latencies(bound)
    if "overloaded" in step.verdict or not (whole or (step.bound == bound and step.held)):
        return False
    ends = [(step.interval(_metric(name)), most) for name, most in wanted.items()]
    return all(interval is not None and interval.high <= most for interval, most in ends)


def _breaks(step: PooledLoad, asked: Asked) -> bool:
    """Whether a load of no more requests than asked is shown not to keep the bound."""
    if (step.offered_per_s or 0.0) > (asked.per_s or 0.0):
        return False
    if step.verdict == "overloaded":
        return True
    ends = [
        (step.interval(_metric(name)), most) for name, most in latencies(asked.bound)[0].items()
    ]
    return any(interval is not None and interval.low > most for interval, most in ends)


def _said(curve: Curve, asked: Asked, sure: float) -> str:
    """What it holds, under its own bound."""
    if curve.capacity:
        return f"{with_interval(*curve.capacity)} requests/s with {curve.bound}"
    if sure:
        return f"at least {plain(sure)} requests/s with {asked.bound}"
    rates = [step.offered_per_s for step in curve.steps if step.offered_per_s]
    tried = f"loads of {', '.join(map(plain, rates))} requests/s" if rates else "no load"
    return f"{tried} show no rate at which {asked.bound} is kept"


def _metric(name: str) -> str:
    return f"load/latency_{name}_s"


def _percent(name: str) -> float:
    """How far out in the tail a latency is: 99 for "p99", 100 for the longest."""
    return {"mean": -1.0, "max": 100.0}.get(name) or float(name[1:])


def _requests(curve: Curve) -> tuple[bool, int]:
    return curve.capacity is not None, sum(step.counted for step in curve.steps)
