"""Requests that arrive by a schedule fixed beforehand: what one load on a service shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.option_checks import must_be, one_of
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.text.normalisers import check_normaliser
from asr_scaling.load import arrivals
from asr_scaling.load.arrivals import MOST, Schedule
from asr_scaling.load.bound import Bound, parsed, requests_needed
from asr_scaling.load.drive import Limits
from asr_scaling.load.load_figures import load_point
from asr_scaling.scenario._loads import Loads
from asr_scaling.util.files import user_path

MORE = 1.5
"""Requests that are sent for one that is needed, as some of the start may be cut."""
ARRIVALS = ("poisson", "constant", "trace", "closed")
_OF_METERS = ("EstimatedEnergy", "GivenWatts")
"""Kinds of cautions that the measurement of energy has given already."""


@dataclass(frozen=True)
class Requests:
    """One load.

    ``arrivals``: poisson and constant have a ``rate``, requests a second; trace has a file;
    closed has ``clients``, each of which sends when it has its last answer.
    ``requests``: how many; None for as many as the percentile of the bound needs, or else the
    99th, and half as many more for a start that is cut.
    ``seconds``: of the schedule, at most.
    ``bound``: what the load is to keep, as "p99<2s,errors=0"; None: nothing.
    ``timeout_s``: after so long without an answer a request has timed out.
    ``late_s``: later than this at its 99th percentile, the generator spoils the latencies.
    ``normaliser``: what is done to texts before words are compared.
    """

    arrivals: str = "poisson"
    rate: float = 1.0
    clients: int | None = None
    trace: str | None = None
    requests: int | None = None
    seconds: float = 600.0
    bound: str | None = None
    timeout_s: float = 60.0
    late_s: float = 0.002
    normaliser: str = "auto"
    seed: int = 42
    name: str = field(default="scenario", init=False)
    phase: Phase = field(default="loaded", init=False)

    def __post_init__(self) -> None:
        one_of("scenario.arrivals", self.arrivals, ARRIVALS)
        clients, requests = self.clients, self.requests
        closed, traced = self.arrivals == "closed", self.arrivals == "trace"
        enough = clients is not None and clients >= 1
        many = requests is None or 1 <= requests <= MOST
        for option, value, fits, bound in (
            ("rate", self.rate, 0 < self.rate < math.inf, "above 0 requests a second"),
            ("clients", clients, enough or not closed, "at least 1 for arrivals=closed"),
            ("trace", self.trace, bool(self.trace) or not traced, "a file for arrivals=trace"),
            ("requests", requests, many, f"from 1 to {MOST}, or null"),
            ("seconds", self.seconds, 0 < self.seconds < math.inf, "above 0"),
            ("timeout_s", self.timeout_s, 0 < self.timeout_s < math.inf, "above 0"),
            ("late_s", self.late_s, self.late_s > 0, "above 0"),
        ):
            must_be(f"scenario.{option}", value, fits, bound)
        check_normaliser("scenario.normaliser", self.normaliser)
        self.asked()

    def asked(self) -> Bound | None:
        """The bound; None without one. Raises ConfigError when it says none."""
        return None if self.bound is None else parsed(self.bound)

    def measure(self, session: Session) -> Findings:
        """Start the service, drive the load, close the service."""
        schedule = self.schedule(session)
        limits = Limits(self.timeout_s, send_s=self.seconds)
        with Loads(session, self.late_s, self.asked(), self.normaliser) as loads:
            session.progress.stage(_called(schedule))
            point = load_point(loads.run(schedule, limits))
            loads.points.append(point)
        return loads.findings(_findings(point))

    def schedule(self, session: Session) -> Schedule:
        """When requests are due, and what each carries. Raises DataError for a bad trace."""
        speech = session.workload.utterances
        if self.arrivals == "trace":
            return arrivals.trace(Path(user_path(self.trace or "")), speech, self.seed)
        bound = self.asked()
        needed = requests_needed(99) if bound is None else bound.requests
        most = self.requests or math.ceil(MORE * needed)
        if self.arrivals == "closed":
            return arrivals.closed(self.clients or 1, most, speech, self.seed)
        made = arrivals.poisson if self.arrivals == "poisson" else arrivals.constant
        count = self.requests or min(most, arrivals.within(self.rate, self.seconds))
        return made(self.rate, count, speech, self.seed)


def _called(schedule: Schedule) -> str:
    if schedule.clients is not None:
        return f"{schedule.clients} clients"
    rate = schedule.offered_per_s
    return "requests" if rate is None else f"{rate:g} requests a second"


def _findings(point: LoadPoint) -> Findings:
    """The load's figures as those of the record too."""
    kept = tuple(caution for caution in point.cautions if caution.kind not in _OF_METERS)
    return Findings(point.metrics, point.unavailable, kept)
