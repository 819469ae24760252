"""The sentences beside a recommendation: what speaks for the winner, what was passed over, what
comes nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asr_scaling.analysis.comparison.verdict import LATENCY, RTFX, WER
from asr_scaling.analysis.format import at_length
from asr_scaling.analysis.points import Point, length_order
from asr_scaling.analysis.recommendation.paired_comparison import (
    PairedComparison,
    differs,
    label,
    sentence,
    tie,
    too_few,
    verdict,
)
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
"""A point of WER: where a tie leaves room for more, it is for want of speech."""


def evidence(
    rule: Rule, winner: Point, comparison: PairedComparison | None, pool: Sequence[Point]
) -> tuple[str, ...]:
    """Figures of both, by how much the winner leads, and what of ``pool`` was passed over for its
    WER or the budget.
    """
    lines = [
        f"{label(winner)} on {winner.hardware}: {figures(winner, tuple(SHOWN))}.",
        *_reaching(rule, winner),
    ]
    if comparison is not None:
        lines.append(
            f"Runner-up {label(comparison.rival)}: {figures(comparison.rival, tuple(SHOWN))}."
        )
        lines += _lead(rule, comparison)
    return (*lines, *_passed_over(rule, winner, pool), *_missed(rule, pool))


def judged(rule: Rule, comparison: PairedComparison) -> str:
    """Winner against runner-up in what ranks them; the second aim where the first shows no
    difference.
    """
    row = comparison.ranked(rule.first.metric)
    if rule.second is None or differs(row) or isinstance(comparison.outcome, str):
        return verdict(row)
    return f"{verdict(row)}; {verdict(comparison.ranked(rule.second.metric))}"


def provisional(rule: Rule, winner: Point, comparison: PairedComparison | None) -> str:
    """Why the recommendation needs confirming; empty where it needs none."""
    reasons = [] if comparison is None else _unsure(rule, comparison)
    if rule.tail and TAIL not in winner.values:
        reasons.append(
            f"{winner.calls} calls can't bound the 95th percentile ({NEEDED} can), so the slowest "
            "of them stands for it"
        )
    return f"Provisional: {'; '.join(reasons)}." if reasons else ""


def _unsure(rule: Rule, comparison: PairedComparison) -> list[str]:
    """Why it is not sure that the winner is ahead of the other."""
    if isinstance(comparison.outcome, str):
        return [
            "winner and runner-up can't be compared "
            f"({comparison.outcome.partition(': ')[0].rstrip('.')})"
        ]
    row = comparison.ranked(rule.first.metric)
    if row.reason:
        return [f"what ranks winner and runner-up can't be compared ({row.reason.rstrip('.')})"]
    if rule.first is not LOWEST_WER:
        return []
    if too_few(row):
        return [
            "too few utterances were scored to tell the two WERs apart, so the lower figure decides"
        ]
    worse = (
        tie(row)
        and (row.absolute or 0.0) > 0
        and row.interval is not None
        and row.interval.high > _CLEAR
    )
    return ["too little speech was scored to show or rule out a difference in WER"] if worse else []


def nobody(
    rule: Rule, pool: Sequence[Point], length_s: float | None, everything: Sequence[Point]
) -> tuple[str, ...]:
    """Why there is no winner, the verdict first, and the nearest miss."""
    if not pool:
        return _nothing_measured(length_s, everything)
    eligible = [point for point in pool if not barred(point)]
    others = [point for point in pool if barred(point)]
    lines = [
        f"{label(point)} meets the budget, but {barred(point)}." for point in _each(rule, others)
    ]
    if not eligible:
        whole = (
            " that transcribes all of its audio" if any(point.wer_known for point in pool) else ""
        )
        return f"No system of known WER{whole} was measured.", *lines
    nearest = min(eligible, key=rule.shortfall)
    if rule.shortfall(nearest) == 0:  # within the budget, yet without the figure that would rank it
        return f"{label(nearest)} meets the budget, but nothing ranks it.", *lines
    return (
        "No system of known WER meets the budget.",
        f"Nearest: {label(nearest)}, {_miss(rule, nearest)}.",
        *lines,
    )


def _passed_over(rule: Rule, winner: Point, points: Iterable[Point]) -> list[str]:
    """Points that would beat the winner if they could be recommended: the best of each system, a
    sentence each.
    """
    aim = rule.second or rule.first
    better = [p for p in points if barred(p) and aim.cost(p) < aim.cost(winner)]
    shown = tuple(name for name in rule.shown if name != "wer")
    return [
        f"{label(point)} is {aim.better} ({figures(point, shown)}), but {barred(point)}."
        for point in _each(rule, better)
    ]


def _missed(rule: Rule, pool: Sequence[Point]) -> list[str]:
    """Systems that have no point within the budget: the nearest miss of each, a sentence each."""
    within = {point.system for point in pool if rule.shortfall(point) == 0}
    nearest: dict[str, Point] = {}
    for point in sorted(pool, key=rule.shortfall):
        if point.system not in within:
            nearest.setdefault(point.system, point)
    return [
        f"{label(point)} misses the budget: {_miss(rule, point)}."
        for point in list(nearest.values())[:_MOST]
    ]


def _miss(rule: Rule, point: Point) -> str:
    return " and ".join(limit.miss(point) for limit in rule.limits if limit.shortfall(point) > 0)


def _each(rule: Rule, points: Iterable[Point]) -> list[Point]:
    """The best of each system within the limits."""
    aim = rule.second or rule.first
    best: dict[str, Point] = {}
    for point in sorted((p for p in points if rule.shortfall(p) == 0), key=aim.cost):
        best.setdefault(point.system, point)
    return list(best.values())[:_MOST]


def _nothing_measured(length_s: float | None, everything: Sequence[Point]) -> tuple[str, ...]:
    finished = [point for point in everything if point.ok]
    if not finished:
        return ("No point was measured to its end.",)
    if any(point.length_s == length_s for point in finished):
        return (f"No point of batch 1 was measured {at_length(length_s)}.",)
    lengths = dict.fromkeys(
        point.length for point in sorted(finished, key=lambda p: length_order(p.length_s))
    )
    return (f"Nothing was measured {at_length(length_s)}; measured: {', '.join(lengths)}.",)


def _reaching(rule: Rule, winner: Point) -> list[str]:
    """Whether the interval of p95 or WER leaves the budget although its value is within."""
    metrics = {P95: TAIL, "WER": WER}
    known = [
        (limit, winner.intervals.get(metrics[limit.name]))
        for limit in rule.limits
        if limit.name in metrics
    ]
    return [
        f"The interval of its {limit.name} reaches beyond the budget."
        for limit, interval in known
        if interval is not None and interval.high > limit.bound
    ]


def _lead(rule: Rule, comparison: PairedComparison) -> list[str]:
    """The paired changes in what ranks, in RTFx or latency, and in WER."""
    if isinstance(comparison.outcome, str):
        return [f"The two can't be compared: {comparison.outcome}"]
    ranking = [
        comparison.ranked(aim.metric) for aim in (rule.first, rule.second) if aim is not None
    ]
    wer = comparison.row(WER)
    rows = {
        row.metric: row for row in (*ranking, comparison.row(LATENCY if rule.live else RTFX), wer)
    }
    lines = [f"Against it, {sentence(row)}" for row in rows.values()]
    if rule.first is LOWEST_WER and tie(wer) and (wer.absolute or 0) > 0:
        lines.append("Its WER is lower than the winner's, but not by a difference that was shown.")
    return lines
