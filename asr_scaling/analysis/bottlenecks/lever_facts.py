"""What levers left of the stages they touch, learned from pairs of records, and what follows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.bottlenecks.levers import EVERY_STAGE, LEVERS, Lever
from asr_scaling.analysis.bottlenecks.timed import Timed
from asr_scaling.core.statistics import student
from asr_scaling.machine.instructions import GPU
from asr_scaling.util.groups import grouped

USUAL_SPREAD, WEIGHT = 0.15, 4
"""Standard deviation that is expected before any is measured, and how many pairs that counts as:
about what the effects on one engine and processor differ by."""
ELSEWHERE = 0.35
"""Standard deviation of the logarithm between processors or engines, at least: int8 by transformers
is 2.2 × on one processor and 1 × on another."""
LEAST_AMOUNT = {"once": 1.0, "window": 0.2, "faults": 0.02, "batch": 0.5}
_LEAST_SHARE = 0.01
"""Pairs with less of a lever's amount, or of a call in a stage, tell next to nothing."""
Key = tuple[str, str, str, str]
"""Lever, engine, family of the model, class of processor."""
OfStages = Mapping[str, tuple[float, float, int]]
"""Stage → mean and standard deviation of the logarithm of its time with the lever over that
without, for each unit of the lever's amount, and the number of pairs."""
Effects = Mapping[Key, OfStages]
Pair = tuple[Lever, Timed, Timed]
"""A lever, a call without it, and the call with it."""


@dataclass(frozen=True)
class Expected:
    """The logarithm of what is left of a stage's time.

    mean: what is most likely.
    half: half the 95 % interval for one more pair.
    elsewhere: whether it was learned on other engines, families or processors only.
    """

    mean: float
    half: float
    elsewhere: bool


def expected(lever: Lever, timed: Timed, effects: Effects) -> dict[str, Expected]:
    """Touched stage of the call → what is left of it; empty where nothing is known or changed.

    A prediction interval of Student's t: one more pair differs from the mean of n by their spread
    times √(1 + 1/n), and the spread of few pairs is drawn to the usual one.
    """
    amount = lever.how_much(timed)
    own, others = _known(lever, timed, effects)
    if not amount or not (own or others):
        return {}
    found = {}
    for stage in lever.touched(timed.stages):
        several = (row.get(stage) or row.get(EVERY_STAGE) for row in (own or others))
        rows = [row for row in several if row]
        if rows:
            found[stage] = _prediction(rows, amount, elsewhere=not own)
    return found


def _known(lever: Lever, timed: Timed, effects: Effects) -> tuple[list[OfStages], list[OfStages]]:
    """What was learned in the very place, and all that was learned of the lever.

    Processors tell nothing of GPUs, nor the other way round.
    """
    place = (lever.name, timed.engine, timed.family, timed.processor)
    of_lever = [
        stages
        for (name, _, _, processor), stages in effects.items()
        if name == lever.name and (processor == GPU) == (timed.processor == GPU)
    ]
    return [effects[place]] if place in effects else [], of_lever


def _prediction(
    rows: Sequence[tuple[float, float, int]], amount: float, *, elsewhere: bool
) -> Expected:
    pairs = sum(n for _, _, n in rows)
    mean = statistics.fmean(mean for mean, _, _ in rows)
    squares = sum((n - 1) * spread**2 for _, spread, n in rows) + WEIGHT * USUAL_SPREAD**2
    freedom = sum(n - 1 for _, _, n in rows) + WEIGHT
    variance = squares / freedom * (1 + 1 / pairs) * amount**2
    if elsewhere:
        between = amount * statistics.pstdev(mean for mean, _, _ in rows)
        variance += max(ELSEWHERE, between) ** 2
    return Expected(amount * mean, student(freedom) * math.sqrt(variance), elsewhere)


def learned(pairs: Iterable[Pair]) -> dict[Key, OfStages]:
    """Effects of ``pairs`` of a lever, a call without it and one with it."""
    groups = grouped(
        pairs, lambda pair: (pair[0].name, pair[1].engine, pair[1].family, pair[1].processor)
    )
    found = {key: _of_stages(members) for key, members in sorted(groups.items())}
    return {key: stages for key, stages in found.items() if stages}


def _of_stages(pairs: Sequence[Pair]) -> OfStages:
    logs: dict[str, list[float]] = {}
    for lever, before, after in pairs:
        growth = math.log(after.batch / before.batch)
        amount = growth or lever.how_much(before)
        if amount < LEAST_AMOUNT[lever.amount]:
            continue
        for stage in lever.touched(before.stages):
            least_s = _LEAST_SHARE * before.call_s
            if before.stages[stage] >= least_s and after.stages.get(stage):
                left = math.log(after.stages[stage] / before.stages[stage]) - growth
                logs.setdefault(stage, []).append(left / amount)
    return {
        stage: (
            round(statistics.fmean(values), 3),
            round(statistics.stdev(values), 3) if len(values) > 1 else USUAL_SPREAD,
            len(values),
        )
        for stage, values in logs.items()
    }


def pairs_of(calls: Iterable[Timed]) -> list[Pair]:
    """Every call with a lever beside the one without it that was measured nearest in time."""
    places = grouped(calls, lambda timed: (timed.model, timed.processor, timed.length_s))
    found = []
    for members in places.values():
        for after in members:
            for lever in LEVERS:
                before = [timed for timed in members if _differ_by(lever, timed, after)]
                if before:
                    nearest = min(before, key=lambda timed: abs(timed.at - after.at))
                    found.append((lever, nearest, after))
    return found


def _differ_by(lever: Lever, before: Timed, after: Timed) -> bool:
    same = before.engine == after.engine and before.optimisations == after.optimisations
    if lever.kind == "batch":
        return same and before.batch == 1 < after.batch
    if before.batch != after.batch:
        return False
    if lever.kind == "engine":
        plain = not before.optimisations and not after.optimisations
        return plain and before.engine in lever.engines and after.engine == lever.name
    added = before.optimisations | {lever.name}
    return before.engine == after.engine and before.optimisations != added == after.optimisations
