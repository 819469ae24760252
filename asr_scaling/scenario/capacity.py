"""The highest rate of requests at which a service keeps its bound, with an interval."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.metric import Metric
from asr_scaling.core.option_checks import must_be, one_of
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.statistics import Interval
from asr_scaling.core.text.normalisers import check_normaliser
from asr_scaling.load import arrivals, capacity_search
from asr_scaling.load.arrivals import MOST
from asr_scaling.load.bound import Bound, parsed
from asr_scaling.load.capacity_search import Plan, find_capacity
from asr_scaling.load.drive import Limits
from asr_scaling.load.load_figures import Load, load_point
from asr_scaling.load.probed import Probed
from asr_scaling.load.queue_law import Gaps
from asr_scaling.load.verdict import broken_otherwise
from asr_scaling.scenario._loads import Loads

ARRIVALS = ("poisson", "constant")
METRICS = ("capacity/rate_per_s", "capacity/rtfx", "capacity/loads")
_BUSY_AT_FIRST = 0.8
"""Share of the time that one worker is busy under the first load."""
_HOPELESS = 4.0
"""Sending ends once a request has waited so many times the bound on latency …"""
_HOPELESS_S = 2.0
"""… but for so many seconds at least."""
_LASTS = 20.0
"""A load lasts so many times the bound on latency at least: a backlog that grows by 5 % of what
arrives is then as old as the bound at its end, however many requests that are."""
_WITHOUT_LATENCY_S = 30.0
"""The same where no latency is in the bound."""


@dataclass(frozen=True)
class Capacity:
    """Loads at rates that are doubled, bisected and repeated until the edge is known.

    ``bound``: what every load is to keep, as "p99<2s,errors=0".
    ``minutes``: no load begins that would not end within so many.
    ``precision``: the search ends once the rate is known within ± this share of it.
    ``arrivals``: poisson or constant.
    ``start_rate``: of the first load, requests a second; None for the one at which a worker is busy
    four fifths of the time, by the calls measured before.
    ``highest_rate``: no rate above it is tried; None for 1,000 a second.
    ``timeout_s``, ``late_s``, ``normaliser``: as of ``scenario=requests``.
    ``clock``: tests replace it.
    """

    bound: str = "p99<2s"
    minutes: float = 10.0
    precision: float = 0.1
    arrivals: str = "poisson"
    start_rate: float | None = None
    highest_rate: float | None = None
    timeout_s: float = 60.0
    late_s: float = 0.002
    normaliser: str = "auto"
    seed: int = 42
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    name: str = field(default="scenario", init=False)
    phase: Phase = field(default="loaded", init=False)

    def __post_init__(self) -> None:
        one_of("scenario.arrivals", self.arrivals, ARRIVALS)
        start, highest = self.start_rate, self.highest_rate
        for option, value, fits, bound in (
            ("minutes", self.minutes, 0 < self.minutes < math.inf, "above 0"),
            ("precision", self.precision, 0 < self.precision < 1, "between 0 and 1"),
            ("start_rate", start, start is None or 0 < start < math.inf, "above 0, or null"),
            (
                "highest_rate",
                highest,
                highest is None or 0 < highest < math.inf,
                "above 0, or null",
            ),
            ("timeout_s", self.timeout_s, 0 < self.timeout_s < math.inf, "above 0"),
            ("late_s", self.late_s, self.late_s > 0, "above 0"),
        ):
            must_be(f"scenario.{option}", value, fits, bound)
        check_normaliser("scenario.normaliser", self.normaliser)
        parsed(self.bound)

    def measure(self, session: Session) -> Findings:
        """Start the service, search, close the service."""
        bound = parsed(self.bound)
        with Loads(session, self.late_s, bound, self.normaliser) as loads:
            prober = _Prober(self, loads, bound, self.clock() + 60 * self.minutes)
            found = find_capacity(bound, prober, self._plan(session))
        for place, one in enumerate(found.probes):
            loads.points[place] = replace(
                loads.points[place], verdict=one.verdict, why=one.why or loads.points[place].why
            )
        return loads.findings(_findings(session, bound, found, prober.gave_up))

    def _plan(self, session: Session) -> Plan:
        usual = Plan(1.0)
        highest = max(self.highest_rate or usual.highest_per_s, usual.lowest_per_s)
        start = self.start_rate or _first_rate(session)
        start = min(max(start, usual.lowest_per_s), highest)
        gaps: Gaps = "poisson" if self.arrivals == "poisson" else "constant"
        return Plan(start, self.precision, highest, gaps=gaps, seed=self.seed)


def _first_rate(session: Session) -> float:
    """Requests a second that keep one worker busy four fifths of the time."""
    calls = [sample.total_s / len(sample.utterances) for sample in session.samples]
    return _BUSY_AT_FIRST / statistics.fmean(calls) if calls else 1.0


@dataclass
class _Prober:
    """Puts one load after another on the service.

    bound: what every load is to keep.
    end_s: when the time is up, on the clock of ``asked``.
    gave_up: why no further load makes sense; empty while one does.
    """

    asked: Capacity
    loads: Loads
    bound: Bound
    end_s: float
    gave_up: str = ""

    def probe(self, rate_per_s: float, requests: int) -> Probed:
        """One load; it is kept with all its figures."""
        asked, session = self.asked, self.loads.session
        number = len(self.loads.points)
        made = arrivals.poisson if asked.arrivals == "poisson" else arrivals.constant
        speech = session.workload.utterances
        requests = max(requests, self._enough(rate_per_s))
        schedule = made(rate_per_s, requests, speech, asked.seed + number)
        session.progress.stage(f"load {number + 1}: {rate_per_s:.3g} requests a second")
        load = self.loads.run(schedule, Limits(asked.timeout_s, self._give_up_s()))
        point = load_point(load)
        self.loads.points.append(point)
        session.progress.say(_told(session, point))
        self.gave_up = _why_no_more(load)
        wer = point.metric("load/wer")
        return Probed(
            rate_per_s,
            np.array([request.due_s for request in load.driven.requests]),
            np.array([request.latency_s for request in load.driven.requests]),
            broken_otherwise(self.bound, load.counted, {"load/wer": wer} if wer else {}),
            load.withheld,
        )

    def left_s(self) -> float:
        """Seconds until the time is up; 0 where no further load makes sense."""
        return 0.0 if self.gave_up else self.end_s - self.asked.clock()

    def _enough(self, rate_per_s: float) -> int:
        """Requests of a load that lasts long enough, as far as there is time."""
        limits = [term.limit_s for term in self.bound.percentiles]
        lasts_s = min(_LASTS * max(limits, default=0.0), self.left_s())
        return min(MOST, math.ceil(rate_per_s * max(0.0, lasts_s)))

    def _give_up_s(self) -> float:
        """Seconds that a request waits at most while more are sent: far beyond the bound."""
        limits = [term.limit_s for term in self.bound.percentiles]
        return max(_HOPELESS_S, _HOPELESS * max(limits)) if limits else _WITHOUT_LATENCY_S


def _why_no_more(load: Load) -> str:
    """Why no further load makes sense; empty while one does."""
    if load.driven.unanswered:
        return f"{load.driven.unanswered} requests were never answered: the service has lost them"
    if not any(request.answered for request in load.driven.requests):
        return "the service answered nothing"
    return ""


def _told(session: Session, point: LoadPoint) -> str:
    rate = f"{point.offered_per_s:.3g} requests a second"
    return f"{session.model.name}: {rate} {point.verdict}: {point.why}"


def _findings(
    session: Session, bound: Bound, found: capacity_search.Capacity, gave_up: str
) -> Findings:
    """The rate, what it means in audio, and how it was found."""
    n = len(found.probes)
    mean_s = statistics.fmean(u.duration_s for u in session.workload.utterances)
    tags = {
        "capacity/bound": str(bound),
        "capacity/ended": f"the service gave up: {gave_up}" if gave_up else found.ended,
        "capacity/why": found.why,
        "capacity/method": found.method or "none",
    }
    loads = Metric("capacity/loads", n)
    held = any(probe.verdict == "held" for probe in found.probes)
    if found.rate_per_s is None or not held:
        reason = gave_up or _reason(found, held)
        return Findings((loads,), dict.fromkeys(METRICS[:2], reason), tags=tags)
    ends = found.interval
    rate = Metric(METRICS[0], found.rate_per_s, n, ends)
    audio = Interval(ends.low * mean_s, ends.high * mean_s) if ends else None
    rtfx = Metric(METRICS[1], found.rate_per_s * mean_s, n, audio)
    return Findings((rate, rtfx, loads), tags=tags)


def _reason(found: capacity_search.Capacity, held: bool) -> str:
    """Why there is no rate, with what is known of it; a rate needs a load that kept the bound."""
    last = found.probes[-1].why if found.probes else ""
    if found.rate_per_s is not None and not held:
        return f"none of {len(found.probes)} loads kept the bound: {last}"
    return f"{found.why}{_between(found.interval)} {last}".strip()


def _between(known: Interval | None) -> str:
    if known is None:
        return ""
    if known.high == math.inf:
        return f" It is at least {known.low:.3g}/s."
    return f" It is between {known.low:.3g} and {known.high:.3g}/s."
