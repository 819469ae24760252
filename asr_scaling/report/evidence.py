"""The sentences beside a recommendation: what speaks for the winner, what was passed over, what comes nearest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from asr_scaling.compare.verdict import LATENCY, RTFX, WER, Comparison
from asr_scaling.report.points import Point
from asr_scaling.report.rules import NEEDED, SHOWN, TAIL, Rule, figures, why_no_wer
from asr_scaling.report.versus import differs, label, row_of, sentence, tie, too_few, verdict

MOST = 5
"""Systems of a kind that are spoken of."""


def evidence(
    rule: Rule, winner: Point, runner_up: Point | None, found: Comparison | str | None, pool: Sequence[Point]
) -> tuple[str, ...]:
    """Figures of both, by how much the winner leads, and what of ``pool`` was passed over for its WER or the budget."""
    lines = [f"{label(winner)} on {winner.hardware}: {figures(winner, tuple(SHOWN))}.", *_reaching(rule, winner)]
    if runner_up is not None and found is not None:
        lines.append(f"Runner-up {label(runner_up)}: {figures(runner_up, tuple(SHOWN))}.")
        lines += _lead(rule, found)
    return (*lines, *unknown_wer(rule, winner, pool), *_missed(rule, pool))


def judged(rule: Rule, found: Comparison | str) -> str:
    """Winner against runner-up in what ranks them; the second aim where the first shows no difference."""
    row = row_of(found, rule.first.metric)
    if rule.second is None or differs(row) or isinstance(found, str):
        return verdict(row)
    return f"{verdict(row)}; {verdict(row_of(found, rule.second.metric))}"


def provisional(rule: Rule, winner: Point, found: Comparison | str | None) -> str:
    """Why the recommendation needs confirming; empty where it needs none."""
    reasons = []
    if rule.live and TAIL not in winner.values:
        reasons.append(
            f"{winner.calls} calls can't bound the 95th percentile ({NEEDED} can), so the slowest of them stands for it"
        )
    if found is not None and rule.first.metric == WER and too_few(row_of(found, WER)):
        reasons.append("too few utterances were scored to tell the two WERs apart, so the lower figure decides")
    return f"Provisional: {'; '.join(reasons)}." if reasons else ""


def nobody(rule: Rule, pool: Sequence[Point], where: str, everything: Sequence[Point]) -> tuple[str, ...]:
    """Why there is no winner, the verdict first, and the nearest miss."""
    if not pool:
        return _nothing_measured(where, everything)
    known = [point for point in pool if point.wer_known]
    unknown = [point for point in pool if not point.wer_known]
    lines = [f"{label(point)} meets the budget, but {_because(point)}" for point in _each(rule, unknown)]
    if not known:
        return "No system of known WER was measured.", *lines
    nearest = min(known, key=rule.shortfall)
    if rule.shortfall(nearest) == 0:  # within the budget, yet without the figure that would rank it
        return f"{label(nearest)} meets the budget, but nothing ranks it.", *lines
    return "No system of known WER meets the budget.", f"Nearest: {label(nearest)}, {_miss(rule, nearest)}.", *lines


def unknown_wer(rule: Rule, winner: Point, points: Iterable[Point]) -> list[str]:
    """Points that would beat the winner were their WER known: the best of each system, a sentence each."""
    aim = rule.second or rule.first
    better = [p for p in points if not p.wer_known and aim.cost(p) < aim.cost(winner)]
    shown = tuple(name for name in rule.shown if name != "wer")
    return [
        f"{label(point)} is {aim.better} ({figures(point, shown)}), but {_because(point)}"
        for point in _each(rule, better)
    ]


def _missed(rule: Rule, pool: Sequence[Point]) -> list[str]:
    """Systems that have no point within the budget: the nearest miss of each, a sentence each."""
    within = {point.system for point in pool if rule.shortfall(point) == 0}
    nearest: dict[str, Point] = {}
    for point in sorted(pool, key=rule.shortfall):
        if point.system not in within:
            nearest.setdefault(point.system, point)
    return [f"{label(point)} misses the budget: {_miss(rule, point)}." for point in list(nearest.values())[:MOST]]


def _miss(rule: Rule, point: Point) -> str:
    return " and ".join(limit.miss(point) for limit in rule.limits if limit.shortfall(point) > 0)


def _each(rule: Rule, points: Iterable[Point]) -> list[Point]:
    """The best of each system within the limits."""
    aim = rule.second or rule.first
    best: dict[str, Point] = {}
    for point in sorted((p for p in points if rule.shortfall(p) == 0), key=aim.cost):
        best.setdefault(point.system, point)
    return list(best.values())[:MOST]


def _because(point: Point) -> str:
    return f"its WER is unknown: {why_no_wer(point).rstrip('.')}."


def _nothing_measured(where: str, everything: Sequence[Point]) -> tuple[str, ...]:
    finished = [point for point in everything if point.ok]
    if not finished:
        return ("No point was measured to its end.",)
    lengths = ", ".join(dict.fromkeys(p.length for p in sorted(finished, key=lambda p: p.length_s or math.inf)))
    if any(point.length == where for point in finished):
        return (f"No point of batch 1 was measured at {where}.",)
    return (f"Nothing was measured at {where}; measured: {lengths}.",)


def _reaching(rule: Rule, winner: Point) -> list[str]:
    """Whether the interval of p95 leaves the budget although its value is within."""
    interval = winner.intervals.get(TAIL)
    bound = next((limit.bound for limit in rule.limits if limit.name == "p95"), None)
    if interval is None or bound is None or interval.high <= bound:
        return []
    return ["The interval of its p95 reaches beyond the budget."]


def _lead(rule: Rule, found: Comparison | str) -> list[str]:
    """The paired changes in what ranks, in RTFx or latency, and in WER."""
    if isinstance(found, str):
        return [f"The two can't be compared: {found}"]
    other = LATENCY if rule.live else RTFX
    metrics = dict.fromkeys((rule.first.metric, *([rule.second.metric] if rule.second else []), other, WER))
    lines = [f"Against it, {sentence(row_of(found, metric))}" for metric in metrics]
    row = row_of(found, WER)
    if rule.first.metric == WER and tie(row) and (row.absolute or 0) > 0:
        lines.append("Its WER is lower than the winner's, but not by a difference that was shown.")
    return lines
