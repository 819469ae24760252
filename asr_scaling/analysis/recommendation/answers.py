"""Which system to use: the one answer of a search, recommend, report, MLflow and a sweep's end."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asr_scaling.analysis.caveats import error_rates
from asr_scaling.analysis.format import plain
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.budget import Budget
from asr_scaling.analysis.recommendation.candidates import Candidates, candidates
from asr_scaling.analysis.recommendation.paired_comparison import label
from asr_scaling.analysis.recommendation.requests import MOST, most_requests, requests_answer
from asr_scaling.analysis.recommendation.scenarios import Recommendation, choose
from asr_scaling.machine.environment import environment
from asr_scaling.machine.machine_kind import machine_kind

_FAKE = "engine=fake measures nothing real: this says nothing about a model."


@dataclass(frozen=True)
class Answers:
    """Which system to use, and what it was chosen among."""

    found: Recommendation
    """At any batch, or at the one asked for; its winner is None where nothing meets the budget."""
    one_at_a_time: Recommendation | None
    """For one utterance at a time, where other batches were asked for too."""
    among: Candidates
    caveats: tuple[str, ...] = ()
    """What must stand beside it."""
    most: Recommendation | None = None
    """What holds most requests; None where none arrived, and where it was asked how many do."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What holds most, the answer in a line, one for each undecided rival, that of batch 1."""
        found, alone = self.found, self.one_at_a_time
        lines = list(self.of_requests)
        if found.winner is None:
            none = f"Nothing measured meets this, for {self.among.speech}: {found.verdict}"
            return (*lines, none)
        lines += [f"For {self.among.speech}: {label(found.winner)} ({found.figures})"]
        lines += [rival.said for rival in found.undecided]
        if alone is not None and alone.winner is not None:
            first = f"For one utterance at a time: {label(alone.winner)} ({alone.figures})"
            lines += [f"{first}: --batch 1", *(rival.said for rival in alone.undecided)]
        return tuple(lines)

    @property
    def about_requests(self) -> Answers:
        """The same with what holds most requests as the answer, where loads say what does."""
        none = replace(self.found, winner=None)
        return replace(self, found=self.most or none, one_at_a_time=None)

    @property
    def of_requests(self) -> tuple[str, ...]:
        """What holds most requests, and what holds more and can't be the answer; a line each."""
        return (self.holds_most, *self.holds_more) if self.holds_most else ()

    @property
    def holds_most(self) -> str:
        """Which system holds most requests, in a line; empty where no bound was asked of any."""
        most = self.most
        if most is None or most.winner is None:
            return ""
        return f"Most requests that arrive: {label(most.winner)} ({most.figures})"

    @property
    def holds_more(self) -> tuple[str, ...]:
        """What holds more than that and loses too much WER, or may; a sentence each."""
        if self.most is None or self.most.winner is None:
            return ()
        beyond = (said for said in self.most.evidence if f" is {MOST.better} (" in said)
        return (*(rival.said for rival in self.most.undecided), *beyond)

    @property
    def facts(self) -> Mapping[str, str]:
        """The answer as names and texts, always the same names; "none" where there is nothing."""
        found, alone = self.found, self.one_at_a_time
        winner = found.winner
        undecided = (f"{label(rival.point)} ({plain(rival.factor)} ×)" for rival in found.undecided)
        facts = {
            "system": winner.system if winner else "",
            "device": winner.device if winner else "",
            "batch": str(winner.batch) if winner else "",
            "figures": found.figures,
            "rtfx": _figure(winner, "throughput/rtfx"),
            "wer": _figure(winner, winner.error_rate) if winner else "",
            "undecided": "; ".join(undecided),
            "one_at_a_time": label(alone.winner) if alone and alone.winner else "",
            "requests": self.holds_most,
            "speech": self.among.speech,
            "rule": found.rule,
            "why_none": "" if winner else found.verdict,
        }
        return {f"answer/{name}": text or "none" for name, text in facts.items()}


def answers(points: Sequence[Point], budget: Budget | None = None) -> Answers:
    """The answer of ``points`` to ``budget``. Loads whole the records of those it compares.

    points: with names that tell them apart (analysis/system_names.py).
    Raises ConfigError where it asks about requests and no load was measured.
    """
    budget = budget or Budget()
    if budget.qps is not None:
        found, among = requests_answer(points, budget)
        return Answers(found, None, among, _beside(among))
    among = candidates(points, budget)
    rule = budget.rule(among.points)
    found = choose(rule, among)
    alone = None
    if budget.batch is None and not rule.live and len({p.batch for p in among.points}) > 1:
        first = tuple(point for point in among.points if point.batch == 1)
        alone = choose(rule, replace(among, points=first)) if first else None
    return Answers(found, alone, among, _beside(among), most_requests(points, budget))


def _beside(among: Candidates) -> tuple[str, ...]:
    fake = [_FAKE] if any(point.weights == "fake" for point in among.points) else []
    return (*fake, *error_rates(among.points))


def recommendable(points: Sequence[Point]) -> tuple[list[Point], Counter[str]]:
    """The points of a model on this kind of machine; of the others how many, and what they are."""
    left_out = Counter(why for point in points if (why := _not_of_here(point)))
    return [point for point in points if not _not_of_here(point)], left_out


def _figure(point: Point | None, name: str) -> str:
    value = point.judged(name) if point else None
    return "" if value is None else f"{value:.6g}"


def _not_of_here(point: Point) -> str:
    """Where a point was measured if not here or on another GPU than this machine's; or that it is
    of no model, or of someone else's server; else empty."""
    if point.weights == "fake":
        return "of engine=fake"
    if point.weights == "elsewhere":
        return "of a server elsewhere, which nothing here can start"
    own, other = environment(), point.environment
    if machine_kind(own) != machine_kind(other):
        return f"of another machine ({machine_kind(other)})"
    gpu = (other.get("device") or {}).get("gpu")
    if not point.device.startswith("cuda") or (gpu is not None and gpu in _gpus()):
        return ""
    return f"of another machine ({point.hardware})"


@functools.cache
def _gpus() -> tuple[str, ...]:
    """Names of the GPUs that this process sees; none of them is selected."""
    import torch

    return tuple(torch.cuda.get_device_properties(i).name for i in range(torch.cuda.device_count()))
