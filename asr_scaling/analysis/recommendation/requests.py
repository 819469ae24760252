"""Which system holds the requests that are asked for at the least cost, or holds the most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from asr_scaling.analysis.capacity.curves import (
    CAPACITY,
    JOULES,
    LOAD_WER,
    RTFX_HELD,
    System,
    at_rate,
    curves,
    system_of,
)
from asr_scaling.analysis.capacity.holding import Asked, Holding, holding
from asr_scaling.analysis.format import percent, plain, with_interval
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.budget import Budget, allowed_loss
from asr_scaling.analysis.recommendation.candidates import Candidates, candidates
from asr_scaling.analysis.recommendation.paired_comparison import label
from asr_scaling.analysis.recommendation.pick import Rival
from asr_scaling.analysis.recommendation.reproduce import scenario_command
from asr_scaling.analysis.recommendation.rules import COST, HELD, Aim, Limit, Rule, barred
from asr_scaling.analysis.recommendation.scenarios import Recommendation, choose
from asr_scaling.core.energy_methods import power_known
from asr_scaling.core.judged import Stated
from asr_scaling.errors import ConfigError
from asr_scaling.util.groups import grouped

CORES = "load/cpu_share"
_AT_RATE = (CORES, LOAD_WER, "load/wer_unloaded")
_REQUESTS, _SHOWN = "Requests", ("held", "cost", "wer")
MOST = Aim(lambda _: CAPACITY, "able to hold more", lambda p: -p.values[CAPACITY], "as much")
_NOTHING = (
    "No load was measured here: python -m asr_scaling -m scenario=capacity 'scenario.bound={}' "
    "serving=direct,batched,replicas  measures how many requests a second each holds."
)
_USUAL_BOUND = "p99<2s"
_NOT_QUITE, _DECIDES_NOTHING = 1 - 1e-9, ", which does not decide it,"
_AT_CAPACITY, _SECONDS = "at its capacity", 3600.0


def requests_answer(points: Sequence[Point], budget: Budget) -> tuple[Recommendation, Candidates]:
    """The cheapest that is shown to hold what ``budget`` asks, and what it was chosen among.

    Raises ConfigError where no load was measured.
    """
    asked = Asked(budget.qps, budget.requests_bound or newest_bound(points))
    held = _held(points, asked)
    if not held or not asked.bound:
        raise ConfigError(_NOTHING.format(asked.bound or _USUAL_BOUND))
    among = candidates(_told(points, asked, held), budget, served=True)
    able = [p for p in among.points if held[system_of(p)].answer == "held" and not barred(p)]
    aim, wanted = _cheapest(able)
    limits = [_requests_limit(asked, held)]
    limits += [] if budget.max_wer is None else [_wer_limit(budget.max_wer)]
    loss = allowed_loss(budget.max_wer_loss, budget.max_wer, among.points)
    rule = Rule(_REQUESTS, wanted, aim, None, tuple(limits), _SHOWN, served=True, max_wer_loss=loss)
    return _with_undecided(choose(rule, among), rule, among, asked, held), among


def most_requests(points: Sequence[Point], budget: Budget) -> Recommendation | None:
    """What holds most under the bound of the newest loads; None where no bound was asked for."""
    asked = Asked(None, newest_bound(points))
    held = _held(points, asked) if asked.bound else {}
    able = [p for p in _told(points, asked, held) if held[system_of(p)].answer == "held"]
    if not able:
        return None
    among = candidates(able, budget, served=True)
    loss = allowed_loss(budget.max_wer_loss, budget.max_wer, among.points)
    limits = () if budget.max_wer is None else (_wer_limit(budget.max_wer),)
    wanted = f"the most requests a second with {asked.bound}"
    rule = Rule(_REQUESTS, wanted, MOST, None, limits, _SHOWN, served=True, max_wer_loss=loss)
    return choose(rule, among)


def newest_bound(points: Sequence[Point]) -> str:
    """The bound of the loads that were begun last, of those that have one; else empty."""
    newest = sorted(points, key=lambda point: -point.started_at)
    return next((load.bound for point in newest for load in point.loads if load.bound), "")


def _held(points: Sequence[Point], asked: Asked) -> dict[System, Holding]:
    """What each system holds that has loads."""
    own = grouped(curves(points), lambda curve: system_of(curve.point))
    return {system: holding(of_it, asked) for system, of_it in own.items()}


def _told(points: Sequence[Point], asked: Asked, held: Mapping[System, Holding]) -> list[Point]:
    """The points of systems that have loads, with figures at the rate that is asked for.

    Without one they are at the rate that each holds.
    """
    return [_with_figures(p, asked, held[s]) for p in points if (s := system_of(p)) in held]


def _with_figures(point: Point, asked: Asked, held: Holding) -> Point:
    tags = {**point.tags, HELD: f"holds {held.said}" if held.sure_per_s else held.said}
    curve = held.curve
    if curve is None:
        return replace(point, tags=tags)
    capacity = curve.capacity or (held.sure_per_s, None)
    rate = asked.per_s or capacity[0]
    found: dict[str, Stated | None] = {CAPACITY: capacity}
    found |= {name: at_rate(curve, rate, name) for name in _AT_RATE} if rate else {}
    if rate and power_known(point.tags):
        found[JOULES] = at_rate(curve, rate, JOULES, per_second=True)
    if (most := curve.searched) is not None:
        found[RTFX_HELD] = most.stated(RTFX_HELD)
    known = {name: own for name, own in found.items() if own is not None}
    ends = {name: own[1] for name, own in known.items() if own[1] is not None}
    others = {name: e for name, e in point.intervals.items() if name not in known}
    values = {**point.values, **{name: own[0] for name, own in known.items()}}
    where = f"at {plain(asked.per_s)}/s" if asked.per_s else _AT_CAPACITY
    tags[COST] = _cost_words(known, where, point.energy_method)
    return replace(point, values=values, intervals={**others, **ends}, tags=tags)


def _cost_words(known: Mapping[str, Stated], where: str, method: str) -> str:
    parts = []
    if JOULES in known:
        parts.append(
            f"{with_interval(*known[JOULES], 1e-3)} kJ per hour of audio {where}, {method}"
        )
    if CORES in known:
        parts.append(f"{percent(known[CORES][0])} of the cores' time {where}")
    if RTFX_HELD in known:
        parts.append(f"RTFx {with_interval(*known[RTFX_HELD])} {_AT_CAPACITY}")
    if LOAD_WER in known:
        parts.append(f"WER under load {with_interval(*known[LOAD_WER], 100)} %")
    return "; ".join(parts)


def _cheapest(able: Sequence[Point]) -> tuple[Aim, str]:
    """What is cheapest, by what all of those that can do it have a figure for."""

    def known(metric: str) -> bool:
        return all(point.judged(metric) for point in able)

    if known(JOULES):
        return _least(JOULES), "the least energy for an hour of audio at that rate"
    why = "no power was measured"
    if known(CORES):
        return _least(CORES), f"the fewest busy cores at that rate ({why})"
    return (
        Aim(lambda _: RTFX_HELD, "cheaper", _seconds, "as cheap"),
        f"the fewest machine seconds for an hour of audio at capacity ({why})",
    )


def _least(metric: str) -> Aim:
    return Aim(lambda _: metric, "cheaper", lambda p: p.judged(metric) or math.inf, "as cheap")


def _seconds(point: Point) -> float:
    """Of the machine, for an hour of audio at capacity."""
    rtfx = point.judged(RTFX_HELD)
    return _SECONDS / rtfx if rtfx else math.inf


def _requests_limit(asked: Asked, held: Mapping[System, Holding]) -> Limit:
    """What is neither shown to hold it nor not to counts as if it did not."""
    most = asked.per_s or 0.0

    def sure(point: Point) -> float:
        found = held[system_of(point)]
        return most if found.answer == "held" else min(found.sure_per_s, most * _NOT_QUITE)

    def show(rate: float) -> str:
        return f"{plain(rate)} a second with {asked.bound}"

    def say(point: Point) -> str:
        undecided = held[system_of(point)].answer == "undecided"
        return f"{point.tags[HELD]}{_DECIDES_NOTHING if undecided else ''}"

    return Limit("requests", sure, most, show, say, most=False)


def _wer_limit(bound: float) -> Limit:
    """On WER under load, or where no load tells it on that of calls."""

    def value(point: Point) -> float:
        return point.values.get(LOAD_WER, point.values.get(point.error_rate, 0.0))

    def say(point: Point) -> str:
        if LOAD_WER not in point.values:
            return f"WER {percent(value(point))}"
        ends = point.intervals.get(LOAD_WER)
        return f"WER under load {with_interval(point.values[LOAD_WER], ends, 100)} %"

    return Limit("WER under load", value, bound, percent, say)


def _with_undecided(
    found: Recommendation,
    rule: Rule,
    among: Candidates,
    asked: Asked,
    held: Mapping[System, Holding],
) -> Recommendation:
    """With what would be cheaper and may hold it, and what would decide that."""
    cost = math.inf if found.winner is None else rule.first.cost(found.winner)
    rivals = []
    for point in among.points:
        fits = not barred(point) and not any(limit.shortfall(point) for limit in rule.limits[1:])
        own = rule.first.cost(point)
        if fits and held[system_of(point)].answer == "undecided" and own <= cost:
            factor = cost / own if math.isfinite(cost) and own else 1.0
            rivals.append(Rival(point, factor, None, _may_hold(point, asked)))
    if found.winner is None:
        return replace(found, evidence=(*found.evidence, *(rival.said for rival in rivals)))
    return replace(found, undecided=(*found.undecided, *rivals))


def _may_hold(point: Point, asked: Asked) -> str:
    rate = plain(asked.per_s or 0.0)
    decides = scenario_command(point, "requests", rate=asked.per_s)
    return (
        f"Undecided: {label(point)} ({point.tags[HELD]}) may or may not hold {rate} a second with "
        f"{asked.bound}; a load decides:  {decides}"
    )
