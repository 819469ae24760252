"""Which measured point to use, by scenario: rules, budgets, evidence and the runner-up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import rules
from asr_scaling.analysis.recommendation.evidence import evidence, judged, nobody, provisional
from asr_scaling.analysis.recommendation.paired_comparison import compare_points, sentence, tie
from asr_scaling.analysis.recommendation.reproduce import command
from asr_scaling.analysis.recommendation.rules import NEEDED, TAIL, Rule, barred
from asr_scaling.analysis.reference_length import at, reference_length
from asr_scaling.errors import ConfigError
from asr_scaling.machine.machine_kind import unlike

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
    memory_bytes: float = 1e9
    """For the edge."""
    energy_j_per_audio_s: float | None = None
    """For the edge."""
    length_s: float | None = None
    """Of the speech that is meant; None for the report's reference length."""
    price_per_hour: float | None = None
    """Of the machine, in any currency."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(
                    f"The budget {option.name} must be a positive number; got {value}."
                )


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


def recommend(points: Sequence[Point], budgets: Budgets) -> tuple[Recommendation, ...]:
    """One for each scenario, of the points of one length.

    A point of unknown WER, or that left audio out, is never recommended. Loads whole the records of
    winners and of those they are compared with.
    """
    length_s = reference_length(points) if budgets.length_s is None else budgets.length_s
    members = at(points, length_s)
    return tuple(choose(rule, members, length_s, points) for rule in _scenarios(members, budgets))


def _scenarios(points: Sequence[Point], budgets: Budgets) -> tuple[Rule, ...]:
    """The four rules; where no point has a figure for energy, memory ranks the edge."""
    accurate = [] if budgets.max_wer is None else [rules.wer_limit(budgets.max_wer)]
    live = (rules.tail_limit(budgets.latency_p95_s), rules.rtfx_limit(budgets.min_rtfx), *accurate)
    small = [rules.memory_limit(budgets.memory_bytes), *accurate]
    if budgets.energy_j_per_audio_s is not None:
        small.append(rules.energy_limit(budgets.energy_j_per_audio_s))
    best = "the lowest WER; where WERs don't differ significantly, the "
    wer, rtfx = rules.LOWEST_WER, rules.HIGHEST_RTFX
    frugal, least = rules.LOWEST_ENERGY, "the least energy per second of audio"
    if points and all(math.isinf(frugal.cost(point)) for point in points):
        frugal, least = rules.LEAST_MEMORY, "the least memory, for no power was measured"
    fast, shown = f"{best}lowest latency", ("tail", "rtfx", "wer")
    return (
        Rule("Real time", fast, wer, rules.LOWEST_LATENCY, live, shown, live=True),
        Rule("Throughput", "the highest RTFx", rtfx, None, tuple(accurate), ("rtfx", "wer")),
        Rule("Quality", f"{best}highest RTFx", wer, rtfx, tuple(accurate), ("wer", "rtfx")),
        Rule("Edge", least, frugal, None, tuple(small), ("memory", "energy", "wer")),
    )


def choose(
    rule: Rule, points: Sequence[Point], length_s: float | None, everything: Sequence[Point]
) -> Recommendation:
    """The choice among ``points`` of one length that are ok.

    everything: the points of other lengths too.
    """
    pool = [point for point in points if not rule.live or point.batch == 1]
    fitting = [p for p in pool if rule.shortfall(p) == 0 and math.isfinite(rule.order(p)[0])]
    ranked = sorted((point for point in fitting if not barred(point)), key=rule.order)
    if not ranked:
        why, *more = nobody(rule, pool, length_s, everything)
        return Recommendation(rule.scenario, rule.sentence, None, None, "", why, tuple(more))
    winner, runner_up = _pick(rule, ranked)
    against = None if runner_up is None else compare_points(winner, runner_up)
    return Recommendation(
        scenario=rule.scenario,
        rule=rule.sentence,
        winner=winner,
        runner_up=runner_up,
        figures=rules.figures(winner, rule.shown),
        verdict="the only candidate" if against is None else judged(rule, against),
        evidence=(
            *evidence(rule, winner, against, pool),
            *_other_batch(rule, winner, runner_up, ranked),
        ),
        provisional=provisional(rule, winner, against),
        command=_confirm(rule, winner),
    )


def _pick(rule: Rule, ranked: Sequence[Point]) -> tuple[Point, Point | None]:
    """The winner and the runner-up, which is another system or device where there is one."""
    best = ranked[0]
    tied = [best]
    if rule.second:
        for point in _front(rule, ranked)[1 : 1 + _NEAREST]:
            if tie(compare_points(point, best).ranked(rule.first.metric)):
                tied.append(point)
        tied.sort(key=rule.second.cost)
    winner = tied[0]
    rivals = [point for point in (best, *tied, *ranked) if point is not winner]
    others = [point for point in rivals if not _same(point, winner)]
    comparable = [point for point in others if not unlike(winner.environment, point.environment)]
    return winner, next(iter(comparable or others or rivals), None)


def _same(a: Point, b: Point) -> bool:
    return (a.system, a.device) == (b.system, b.device)


def _other_batch(
    rule: Rule, winner: Point, runner_up: Point | None, ranked: Sequence[Point]
) -> tuple[str, ...]:
    """The winner's batch against the system's next best."""
    other = next((p for p in ranked if _same(p, winner) and p.batch != winner.batch), None)
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
    if not rule.tail or TAIL in winner.values:
        return command(winner)
    seconds = math.ceil(NEEDED * (winner.slowest_s or 1.0))
    return command(winner, min_iterations=NEEDED, precision=None, max_seconds=seconds)
