"""Which measured point to use by a rule: the winner, what stands beside it, and the evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import rules
from asr_scaling.analysis.recommendation.budget import Budget
from asr_scaling.analysis.recommendation.candidates import Candidates, candidates
from asr_scaling.analysis.recommendation.evidence import evidence, judged, nobody, provisional
from asr_scaling.analysis.recommendation.final_order import as_chosen
from asr_scaling.analysis.recommendation.paired_comparison import compare_points, sentence, tie
from asr_scaling.analysis.recommendation.pick import (
    Picked,
    Rival,
    pick_within,
    runner_up,
    same_system,
)
from asr_scaling.analysis.recommendation.reproduce import called, command
from asr_scaling.analysis.recommendation.rules import NEEDED, TAIL, Rule, barred
from asr_scaling.errors import ConfigError

_NEAREST = 5
"""Points nearest in WER that are compared with the best."""


@dataclass(frozen=True)
class Budgets:
    """What a recommendation must keep to; None asks for nothing."""

    latency_p95_s: float = 1.0
    """For real time."""
    min_rtfx: float = 1.0
    """For real time."""
    max_wer: float | None = None
    """For every scenario, as a share."""
    max_wer_loss: float | None = None
    """For real time and throughput, as ``Budget`` has it."""
    memory_bytes: float = 1e9
    """For the edge."""
    energy_j_per_audio_s: float | None = None
    """For the edge."""
    length_s: float | None = None
    """Of the speech that is meant, as ``Budget`` has it."""
    price_per_hour: float | None = None
    """Of the machine, in any currency."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(
                    f"The budget {option.name} must be a positive number; got {value}."
                )

    @property
    def whole(self) -> Budget:
        """What is asked where neither time nor memory are short: throughput's."""
        return Budget(max_wer=self.max_wer, max_wer_loss=self.max_wer_loss, length_s=self.length_s)


@dataclass(frozen=True)
class Recommendation:
    """What is recommended for a scenario."""

    scenario: str
    rule: str
    winner: Point | None
    """None where nothing meets the budget; then ``evidence`` says what comes nearest."""
    runner_up: Point | None
    figures: str
    """The winner's figures that matter here."""
    verdict: str
    """Winner against runner-up."""
    evidence: tuple[str, ...]
    provisional: str = ""
    """Why it needs confirming; empty where it does not."""
    command: str = ""
    """Measures the winner again, well enough to confirm it."""
    undecided: tuple[Rival, ...] = ()
    """What is faster than the winner, and may or may not lose too much WER; fastest first."""


def recommend(points: Sequence[Point], budgets: Budgets) -> tuple[Recommendation, ...]:
    """One for each scenario, of the points that ``candidates`` chooses.

    A point of unknown WER, or that left audio out, is never recommended. Loads whole the records of
    winners and of those they are compared with.
    """
    among = candidates(points, budgets.whole)
    return tuple(choose(rule, among) for rule in _scenarios(among.points, budgets))


def _scenarios(points: Sequence[Point], budgets: Budgets) -> tuple[Rule, ...]:
    """The four rules; where no point has a figure for energy, memory ranks the edge."""
    accurate = [] if budgets.max_wer is None else [rules.wer_limit(budgets.max_wer)]
    live = (rules.tail_limit(budgets.latency_p95_s), rules.rtfx_limit(budgets.min_rtfx), *accurate)
    small = [rules.memory_limit(budgets.memory_bytes), *accurate]
    if budgets.energy_j_per_audio_s is not None:
        small.append(rules.energy_limit(budgets.energy_j_per_audio_s))
    frugal, least = rules.LOWEST_ENERGY, "the least energy per second of audio"
    if points and all(math.isinf(frugal.cost(point)) for point in points):
        frugal, least = rules.LEAST_MEMORY, "the least memory, for no power was measured"
    best = "the lowest WER; where WERs don't differ significantly, the highest RTFx"
    most, lost = budgets.whole.rule(points), ("tail", "rtfx", "wer")
    low = replace(most, wanted="the lowest latency", first=rules.LOWEST_LATENCY, limits=live)
    return (
        replace(low, scenario="Real time", shown=lost, live=True),
        replace(most, scenario="Throughput", shown=("rtfx", "wer")),
        Rule("Quality", best, rules.LOWEST_WER, rules.HIGHEST_RTFX, tuple(accurate), lost[:0:-1]),
        Rule("Edge", least, frugal, None, tuple(small), ("memory", "energy", "wer")),
    )


def choose(rule: Rule, among: Candidates) -> Recommendation:
    """The choice by ``rule``. Loads whole the records of those it compares."""
    pool = [point for point in among.points if not rule.live or point.batch == 1]
    fitting = [p for p in pool if rule.shortfall(p) == 0 and math.isfinite(rule.order(p)[0])]
    ranked = sorted((point for point in fitting if not barred(point)), key=rule.order)
    if not ranked:
        why, *more = nobody(rule, pool, among.length_s, among.everything)
        why, more = (among.why_none, []) if among.why_none else (why, more)
        return Recommendation(rule.scenario, rule.sentence, None, None, "", why, tuple(more))
    if rule.max_wer_loss is None:
        picked = _pick(rule, ranked)
    else:
        picked = pick_within(rule, as_chosen(rule, ranked), pool, among.words)
    winner, runner_up = picked.winner, picked.runner_up
    against = None if runner_up is None else compare_points(winner, runner_up)
    return Recommendation(
        scenario=rule.scenario,
        rule=rule.sentence,
        winner=winner,
        runner_up=runner_up,
        figures=rules.figures(winner, rule.shown),
        verdict=judged(rule, against) if against else picked.alone,
        evidence=(
            *picked.said,
            *evidence(rule, winner, against, pool),
            *_other_batch(rule, winner, runner_up, ranked),
        ),
        provisional=provisional(rule, winner, against, picked.likely),
        command=_confirm(rule, winner),
        undecided=picked.undecided,
    )


def _pick(rule: Rule, ranked: Sequence[Point]) -> Picked:
    """The first by the rule's first aim, or of those that tie with it the best in the second."""
    best = ranked[0]
    tied = [best]
    if rule.second:
        for point in _front(rule, ranked)[1 : 1 + _NEAREST]:
            if tie(compare_points(point, best).ranked(rule.first.metric)):
                tied.append(point)
        tied.sort(key=rule.second.cost)
    winner = tied[0]
    rivals = [point for point in (best, *tied, *ranked) if point is not winner]
    return Picked(winner, runner_up(winner, rivals))


def _other_batch(
    rule: Rule, winner: Point, runner_up: Point | None, ranked: Sequence[Point]
) -> tuple[str, ...]:
    """The winner's batch against the system's next best."""
    other = next((p for p in ranked if same_system(p, winner) and p.batch != winner.batch), None)
    if other is None or other is runner_up:
        return ()
    row = compare_points(winner, other).ranked((rule.second or rule.first).metric)
    return (f"Batch {winner.batch} against {other.batch}: {sentence(row)}",)


def _front(rule: Rule, ranked: Sequence[Point]) -> list[Point]:
    """Those that no other beats in both aims: only they can win."""
    front: list[Point] = []
    for point in ranked:
        if not front or rule.order(point)[1] < rule.order(front[-1])[1]:
            front.append(point)
    return front


def _confirm(rule: Rule, winner: Point) -> str:
    """More calls where p95 was withheld: ended by their number, with time for the slowest."""
    winner = winner if rule.served else called(winner)
    if not rule.tail or TAIL in winner.values:
        return command(winner)
    seconds = math.ceil(NEEDED * (winner.slowest_s or 1.0))
    return command(winner, min_iterations=NEEDED, precision=None, max_seconds=seconds)
