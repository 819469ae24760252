"""What requests of one load got → the load as a record keeps it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import percentile
from asr_scaling.load import latency_figures
from asr_scaling.load.bound import Bound
from asr_scaling.load.drive import Driven, Request
from asr_scaling.load.latency_figures import LATENCIES
from asr_scaling.load.looks import Figures, Looks, use_of_machine
from asr_scaling.load.steadiness import Backlog, backlog, start_to_cut
from asr_scaling.load.texts import Texts
from asr_scaling.load.verdict import Judged, judged

LATE_OF_BOUND = 0.05
"""Share of the bound on latency that the generator may be late, at its 99th percentile."""
_DECIMALS = 6
"""Of latencies whose trend is looked for: microseconds."""
_REASONS = 3
"""Reasons of failures that are named."""


@dataclass(frozen=True)
class Load:
    """One load: what was driven, what was seen beside it, and what is made of it.

    late_s: how late the generator may be at its 99th percentile.
    bound: what the load was to keep; None without one.
    """

    driven: Driven
    looks: Looks
    texts: Texts
    late_s: float
    bound: Bound | None = None

    @property
    def most_late_s(self) -> float:
        """How late the generator may be at its 99th percentile, at most.

        The smaller of ``late_s`` and 5 % of the bound on latency: the one keeps short latencies
        right, the other those that are near a bound that is short itself.
        """
        limits = [term.limit_s for term in self.bound.percentiles] if self.bound else []
        return min(self.late_s, LATE_OF_BOUND * min(limits, default=math.inf))

    @property
    def closed(self) -> bool:
        """Whether clients waited for answers."""
        return self.driven.schedule.clients is not None

    @cached_property
    def cut(self) -> int:
        """Requests at the start that are unlike the rest and are not counted.

        Only answers are compared, and only answers are cut: a failure counts wherever it is.
        Where the generator was late, nothing says which they are.
        """
        if self.withheld:
            return 0
        requests = self.driven.requests
        places = [i for i, request in enumerate(requests) if request.answered]
        latency = np.round([requests[i].latency_s for i in places], _DECIMALS)
        lost = next((i for i, r in enumerate(requests) if not r.answered), len(requests))
        start = start_to_cut(latency)
        return min(lost, places[start]) if start else 0

    @cached_property
    def backlog(self) -> Backlog | None:
        """How the requests without an answer grew; None with fewer than two, or where clients
        wait for answers."""
        requests = self.driven.requests
        if self.closed or len(requests) < 2:
            return None
        done = [r.reply.done_s if r.reply is not None else math.inf for r in requests]
        return backlog(np.array([request.due_s for request in requests]), np.array(done))

    @cached_property
    def counted(self) -> tuple[Request, ...]:
        """The requests that figures are of."""
        return self.driven.requests[self.cut :]

    @cached_property
    def withheld(self) -> str:
        """Why nothing is said of latencies; empty where something is."""
        if self.closed:
            return ""
        if self.driven.generator_lost:
            return "the generator ended before its schedule did"
        late, most_s = self._late_s, self.most_late_s
        if late is None or late <= most_s:
            return ""
        return (
            f"the generator was {_ms(late)} late at its 99th percentile, and {_ms(most_s)} are "
            "allowed (the smaller of scenario.late_s and 5 % of the bound): let it ask for "
            "real-time scheduling (root, CAP_SYS_NICE or ulimit -r), leave a core free, or raise "
            "scenario.late_s"
        )

    @property
    def _late_s(self) -> float | None:
        figure = latency_figures.lateness(self.driven.requests)["load/generator_late_p99_s"]
        return figure.value if isinstance(figure, Metric) else None

    @property
    def _limit_s(self) -> float | None:
        """The latency that the hardest percentile of the bound is about."""
        hardest = self.bound.hardest if self.bound else None
        return hardest.limit_s if hardest else None

    def figures(self) -> tuple[Figures, tuple[Caution, ...]]:
        """Every metric of the load, and what a reader must know."""
        requests, answered = self.counted, [r for r in self.counted if r.answered]
        begin_s = requests[0].due_s if requests else self.driven.start_s
        replies = [r.reply.done_s for r in requests if r.reply is not None]
        end_s = max(replies) if len(replies) == len(requests) > 0 else self.driven.end_s
        use, cautions = use_of_machine(self.looks, answered, begin_s, end_s)
        figures = latency_figures.latencies(requests, self._limit_s)
        if self.withheld:
            figures |= dict.fromkeys(LATENCIES, self.withheld)
        figures |= self._rates(answered, end_s - begin_s)
        figures |= latency_figures.shares(requests) | latency_figures.batches(requests)
        late = latency_figures.no_lateness if self.closed else self._lateness
        figures |= late() | use | self.texts.figures(answered) | self._growth()
        return figures, (*self._cautions(), *cautions)

    def judged(self, figures: Figures) -> Judged:
        """Whether it kept its bound, with a sentence; the generator comes before all else."""
        if self.withheld:
            return "withheld", self.withheld
        if self.driven.why_unsent:
            return "overloaded", self.driven.why_unsent
        growth = self.backlog
        if growth is not None and growth.overloaded:
            return "overloaded", f"the backlog grew by {growth.slope_per_s:.3g} requests a second"
        return judged(self.bound, self.counted, figures)

    def _growth(self) -> Figures:
        name, growth = "load/backlog_slope_per_s", self.backlog
        if growth is None:
            return {name: "no backlog can grow of clients that wait, or of one request"}
        bounded = math.isfinite(growth.interval.low) and math.isfinite(growth.interval.high)
        interval, n = growth.interval if bounded else None, len(self.driven.requests)
        return {name: Metric(name, growth.slope_per_s, n, interval)}

    def _lateness(self) -> Figures:
        return latency_figures.lateness(self.driven.requests)

    def _rates(self, answered: Sequence[Request], seconds: float) -> Figures:
        """Requests due, requests answered and audio answered per second."""
        due = [request.due_s for request in self.counted]
        span_s = due[-1] - due[0] if due else 0.0
        audio_s = math.fsum(request.utterance.duration_s for request in answered)
        figures: Figures = {
            "load/offered_per_s": "fewer than two requests were due",
            "load/served_per_s": "no time passed",
            "load/rtfx": "no time passed",
        }
        if span_s > 0:
            rate = (len(due) - 1) / span_s
            figures["load/offered_per_s"] = Metric("load/offered_per_s", rate, len(due))
        if self.closed:
            figures["load/offered_per_s"] = "closed arrivals offer what is answered"
        if seconds > 0:
            n = len(answered)
            figures["load/served_per_s"] = Metric("load/served_per_s", n / seconds, n)
            figures["load/rtfx"] = Metric("load/rtfx", audio_s / seconds, n)
        return figures

    def _cautions(self) -> tuple[Caution, ...]:
        driven, found = self.driven, list[Caution]()
        if self.closed:
            found.append(caution("ClosedArrivals", clients=driven.schedule.clients))
        if self.withheld and self._late_s is not None:
            limit = _ms(self.most_late_s)
            found.append(caution("LateGenerator", late=_ms(self._late_s), limit=limit))
        waits = [r.submitted_s - r.fired_s for r in driven.requests]
        if waits and (handed_s := _p99(waits)) > self.most_late_s:
            found.append(caution("LateHandover", late=_ms(handed_s)))
        if driven.why_unsent:
            found.append(caution("LoadCut", unsent=driven.unsent, why=driven.why_unsent))
        found += _failures(self.counted)
        if driven.unanswered:
            longest_s = driven.end_s - min(r.due_s for r in driven.requests if r.reply is None)
            found.append(caution("Unanswered", count=driven.unanswered, seconds=longest_s))
        if driven.twice:
            found.append(caution("RepliedTwice", count=driven.twice))
        return tuple(found)


def load_point(load: Load) -> LoadPoint:
    """The load as a record keeps it, judged by its bound where it has one."""
    figures, cautions = load.figures()
    driven, due = load.driven, [request.due_s for request in load.driven.requests]
    verdict, why = load.judged(figures)
    return LoadPoint(
        arrivals=driven.schedule.arrivals,
        offered_per_s=driven.schedule.offered_per_s,
        seconds=due[-1] - due[0] if due else 0.0,
        requests=len(due),
        counted=len(load.counted),
        clients=driven.schedule.clients,
        bound="" if load.bound is None else str(load.bound),
        verdict=verdict,
        why=why,
        metrics=tuple(figure for figure in figures.values() if isinstance(figure, Metric)),
        unavailable={name: why for name, why in figures.items() if isinstance(why, str)},
        cautions=cautions,
    )


def _failures(requests: Sequence[Request]) -> list[Caution]:
    """A caution that says why requests got no text, where some did not."""
    lost = [request for request in requests if not request.answered]
    if not lost:
        return []
    reasons = Counter(_reason(request) for request in lost)
    told = [f"{count} × {reason}" for reason, count in reasons.most_common(_REASONS)]
    if more := len(lost) - sum(count for _, count in reasons.most_common(_REASONS)):
        told.append(f"{more} × others")
    return [caution("RequestsFailed", count=len(lost), all=len(requests), reasons="; ".join(told))]


def _reason(request: Request) -> str:
    if request.timed_out or request.reply is None:
        return "no answer in time"
    return f"{request.reply.status}: {request.reply.reason or 'no reason told'}"


def _p99(values: Sequence[float]) -> float:
    return percentile(values, 99)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"
