"""What one load showed of a service, and whether that keeps a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.load_point import Verdict
from asr_scaling.load.bound import Bound
from asr_scaling.load.cycles import answered
from asr_scaling.load.percentile import sample_percentile
from asr_scaling.load.steadiness import backlog, start_to_cut

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Probed:
    """What one load showed, as far as the search needs it.

    rate_per_s: at which requests were due.
    due_s: when each was due, in order, shape (requests,).
    latency_s: of each, from due to answered; inf without a text, shape (requests,).
    broken: a term that is not a percentile (errors, wer) that was broken, in words.
    withheld: why nothing is to be said of it: the generator was late.
    """

    rate_per_s: float
    due_s: _Floats
    latency_s: _Floats
    broken: str = ""
    withheld: str = ""

    @property
    def answered_s(self) -> _Floats:
        """When each request was answered; when it was due, where it has no text."""
        return answered(self.due_s, self.latency_s)


class Prober(Protocol):
    """Puts loads on a service."""

    def probe(self, rate_per_s: float, requests: int) -> Probed:
        """One load of so many requests; fewer where it is overloaded or surely broken."""

    def left_s(self) -> float:
        """Seconds that are left for further loads."""


@dataclass(frozen=True)
class Judged:
    """A load and its verdict.

    asked: requests that were asked for.
    cut: requests at its start that do not count.
    why: one sentence to the verdict.
    """

    probed: Probed
    asked: int
    cut: int
    verdict: Verdict
    why: str

    @property
    def rate_per_s(self) -> float:
        """At which requests were due."""
        return self.probed.rate_per_s

    @property
    def settled(self) -> bool:
        """Whether its late requests are a share of those of the same load without end."""
        return self.verdict in {"held", "broken"} and len(self.probed.due_s) >= self.asked


def judged(probed: Probed, bound: Bound, asked: int) -> Judged:
    """The verdict on a load for which so many requests were asked."""
    count = len(probed.due_s)
    cut = start_to_cut(probed.latency_s)
    verdict, why = _verdict(probed, bound, asked, count, cut)
    return Judged(probed, asked, cut, verdict, why)


def _verdict(probed: Probed, bound: Bound, asked: int, count: int, cut: int) -> tuple[Verdict, str]:
    if probed.withheld:
        return "withheld", probed.withheld
    if count < 2:
        return "undecided", "No requests were due."
    growth = backlog(probed.due_s, probed.answered_s)
    if growth.overloaded or probed.broken:
        grew = f"The backlog grew by {growth.slope_per_s:.2g} requests a second."
        return ("overloaded", grew) if growth.overloaded else ("broken", probed.broken)
    if count < asked:
        return _cut_short(probed, bound, asked, count)
    if count - cut < bound.requests:
        left = f"It settled after {cut} of {count} requests"
        return "undecided", f"{left}, and {bound.requests} have to follow."
    return _by_percentiles(probed.latency_s[cut:], bound)


def _by_percentiles(latency_s: _Floats, bound: Bound) -> tuple[Verdict, str]:
    """The verdict on a load of which nothing else is to be said."""
    for term in bound.percentiles:
        value = sample_percentile(latency_s, term.percentile)
        if value > term.limit_s:
            return "broken", f"p{term.percentile:g} was {value:.3g} s."
    return "held", ""


def _cut_short(probed: Probed, bound: Bound, asked: int, count: int) -> tuple[Verdict, str]:
    """The verdict on a load that ended early and was not overloaded."""
    for term in bound.percentiles:
        late = int((probed.latency_s > term.limit_s).sum())
        if late > term.late_share * asked:
            why = f"{late} of {count} requests were late: too many for p{term.percentile:g}"
            return "broken", f"{why}, whatever the other {asked - count} had been."
    return "undecided", f"It ended after {count} of {asked} requests."
