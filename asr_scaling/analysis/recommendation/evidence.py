"""Sentences beside a recommendation: for the winner, on what was passed over, on near misses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from asr_scaling.analysis.comparison.verdict import LATENCY, RTFX, WER, MetricChange
from asr_scaling.analysis.format import at_length
from asr_scaling.analysis.points import Point, length_order
from asr_scaling.analysis.recommendation.paired_comparison import (
    PairedComparison,
    differs,
    label,
    noun,
    sentence,
    tie,
    verdict,
    why_unknown,
)
from asr_scaling.analysis.recommendation.ranks import chosen_by_itself
from asr_scaling.analysis.recommendation.rules import (
    LOWEST_WER,
    NEEDED,
    P95,
    SHOWN,
    TAIL,
    Rule,
    barred,
    figures,
)

_MOST = 5
"""Systems of a kind that are spoken of."""
_CLEAR = 0.01
"""A point of WER: where a tie leaves room for more, too little speech was scored."""


def evidence(
    rule: Rule, winner: Point, comparison: PairedComparison | None, pool: Sequence[Point]
) -> tuple[str, ...]:
    """Figures of both, the winner's lead, and what of ``pool`` its WER or the budget ruled out."""
    lines = [f"{label(winner)} on {winner.hardware}: {figures(winner, tuple(SHOWN))}."]
    lines += _reaching(rule, winner)
    if comparison is not None:
        rival = comparison.rival
        lines.append(f"Runner-up {label(rival)}: {figures(rival, tuple(SHOWN))}.")
        lines += _lead(rule, comparison)
    return (*lines, *_passed_over(rule, winner, pool), *_missed(rule, pool))


def judged(rule: Rule, comparison: PairedComparison) -> str:
    """Winner against runner-up in the first aim; in the second too where that shows nothing."""
    row = comparison.ranked(rule.first.metric)
    if rule.second is None or differs(row) or isinstance(comparison.outcome, str):
        return verdict(row)
    return f"{verdict(row)}; {verdict(comparison.ranked(rule.second.metric))}"


def provisional(
    rule: Rule, winner: Point, comparison: PairedComparison | None, likely: str = ""
) -> str:
    """Why the recommendation needs confirming; empty where it needs none.

    likely: what is shown of a WER that is likely within what is allowed, and not shown to be.
    """
    unsure = _unsure(rule, comparison) if comparison else ""
    reasons = [f"its WER is likely to be within what is allowed ({likely})"] if likely else []
    reasons += [unsure] if unsure else []
    if rule.tail and TAIL not in winner.values:
        reasons.append(
            f"{winner.calls} calls can't bound the 95th percentile ({NEEDED} can), so the slowest "
            "of them stands for it"
        )
    if chosen_by_itself(winner):
        reasons.append(
            "the search chose it by this very measurement and measured it no more, which flatters "
            "what is chosen"
        )
    return f"Provisional: {'; '.join(reasons)}." if reasons else ""


def _unsure(rule: Rule, comparison: PairedComparison) -> str:
    """Why it is not sure that the winner is ahead of the other; empty where it is."""
    if isinstance(comparison.outcome, str):
        why = comparison.outcome.partition(": ")[0].rstrip(".")
        return f"winner and runner-up can't be compared ({why})"
    row = comparison.ranked(rule.first.metric)
    if row.reason:
        return f"what ranks winner and runner-up can't be compared ({row.reason.rstrip('.')})"
    if rule.first is not LOWEST_WER:
        return _untold(row)
    not_lower = tie(row) and (row.absolute or 0.0) >= 0
    if not_lower and row.interval is not None and row.interval.high > _CLEAR:
        return "too little speech was scored to show or rule out a difference in WER"
    return _untold(comparison.ranked(rule.second.metric)) if tie(row) and rule.second else ""


def _untold(row: MetricChange) -> str:
    """Why it can't be told which is ahead in what decides; empty where it can."""
    why = why_unknown(row)
    return f"it can't be told which has the better {noun(row)} ({why})" if why else ""


def nobody(
    rule: Rule, pool: Sequence[Point], length_s: float | None, everything: Sequence[Point]
) -> tuple[str, ...]:
    """Why there is no winner, the verdict first, and the nearest miss."""
    if not pool:
        return (_nothing_measured(length_s, everything),)
    eligible = [point for point in pool if not barred(point)]
    others = _best(rule, (point for point in pool if barred(point)))
    lines = [f"{label(point)} meets the budget, but {barred(point)}." for point in others]
    if not eligible:
        known = any(point.wer_known for point in pool)
        whole = " that transcribes all of its audio" if known else ""
        return f"No system of known WER{whole} was measured.", *lines
    nearest = min(eligible, key=rule.shortfall)
    if rule.shortfall(nearest) == 0:  # within the budget, yet without the figure that would rank it
        return f"{label(nearest)} meets the budget, but nothing ranks it.", *lines
    miss = f"Nearest: {label(nearest)}, {_miss(rule, nearest)}."
    return "No system of known WER meets the budget.", miss, *lines


def _passed_over(rule: Rule, winner: Point, points: Iterable[Point]) -> list[str]:
    """The best of each system that would win if it could be recommended, a sentence each."""
    aim = rule.second or rule.first
    better = (p for p in points if barred(p) and aim.cost(p) < aim.cost(winner))
    shown = tuple(name for name in rule.shown if name != "wer")
    return [
        f"{label(point)} is {aim.better} ({figures(point, shown)}), but {barred(point)}."
        for point in _best(rule, better)
    ]


def _missed(rule: Rule, pool: Sequence[Point]) -> list[str]:
    """The nearest miss of each system that has no point within the budget, a sentence each."""
    within = {point.system for point in pool if rule.shortfall(point) == 0}
    missing = (point for point in pool if point.system not in within)
    return [
        f"{label(point)} misses the budget: {_miss(rule, point)}."
        for point in _first_of_systems(missing, rule.shortfall)
    ]


def _miss(rule: Rule, point: Point) -> str:
    return " and ".join(limit.miss(point) for limit in rule.limits if limit.shortfall(point) > 0)


def _best(rule: Rule, points: Iterable[Point]) -> list[Point]:
    """The best of each system within the limits."""
    within = (point for point in points if rule.shortfall(point) == 0)
    return _first_of_systems(within, (rule.second or rule.first).cost)


def _first_of_systems(points: Iterable[Point], order: Callable[[Point], float]) -> list[Point]:
    first: dict[str, Point] = {}
    for point in sorted(points, key=order):
        first.setdefault(point.system, point)
    return list(first.values())[:_MOST]


def _nothing_measured(length_s: float | None, everything: Sequence[Point]) -> str:
    finished = [point for point in everything if point.ok]
    if not finished:
        return "No point was measured to its end."
    if any(point.length_s == length_s for point in finished):
        return f"No point of batch 1 was measured {at_length(length_s)}."
    ordered = sorted(finished, key=lambda point: length_order(point.length_s))
    lengths = dict.fromkeys(point.length for point in ordered)
    return f"Nothing was measured {at_length(length_s)}; measured: {', '.join(lengths)}."


def _reaching(rule: Rule, winner: Point) -> list[str]:
    """Whether the interval of p95 or WER leaves the budget although its value is within."""
    metrics = {P95: TAIL, "WER": winner.error_rate}
    intervals = [
        (limit, winner.intervals.get(metrics.get(limit.name, ""))) for limit in rule.limits
    ]
    return [
        f"The interval of its {limit.name} reaches beyond the budget."
        for limit, interval in intervals
        if interval is not None and interval.high > limit.bound
    ]


def _lead(rule: Rule, comparison: PairedComparison) -> list[str]:
    """The paired changes in what ranks, in RTFx or latency, and in WER."""
    if isinstance(comparison.outcome, str):
        return [f"The two can't be compared: {comparison.outcome}"]
    ranking = [comparison.ranked(aim.metric) for aim in (rule.first, rule.second) if aim]
    wer = comparison.row(WER)
    rows = (*ranking, comparison.row(LATENCY if rule.live else RTFX), wer)
    lines = [f"Against it, {sentence(row)}" for row in {row.metric: row for row in rows}.values()]
    if rule.first is LOWEST_WER and tie(wer) and (wer.absolute or 0) > 0:
        lines.append("Its WER is lower than the winner's, but not by a difference that was shown.")
    return lines
