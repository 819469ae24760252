"""The winner of a rule among points, its runner-up, and faster points whose WER is undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.word_loss_text import limits, loss_sentence
from asr_scaling.analysis.format import plain
from asr_scaling.analysis.gain_over_plain import PLAIN_ENGINE
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import label
from asr_scaling.analysis.recommendation.ranks import same_calls
from asr_scaling.analysis.recommendation.rules import Rule, barred, figures
from asr_scaling.analysis.recommendation.within_loss import Undecided, fastest_within
from asr_scaling.analysis.recommendation.word_counts import WordCounts, far_beyond
from asr_scaling.core.word_loss import WordLoss
from asr_scaling.machine.machine_kind import unlike
from asr_scaling.util.groups import grouped

_MOST = 3
"""Undecided points that are named."""


@dataclass(frozen=True)
class Rival:
    """A point that is faster than the winner, and may or may not lose too much WER."""

    point: Point
    factor: float
    """By what ranks, over the winner: 1.2 is a fifth faster."""
    loss: WordLoss | None
    """Against the plain system; None where the two have no words in common."""
    said: str
    """All of it in a sentence."""


@dataclass(frozen=True)
class Picked:
    """What a rule picks."""

    winner: Point
    runner_up: Point | None
    undecided: tuple[Rival, ...] = ()
    """Fastest first."""
    said: tuple[str, ...] = ()
    """What the winner was held against, what that shows, and what is faster and loses more."""
    likely: str = ""
    """Why the winner's WER needs more words; empty where it is shown to be within."""

    @property
    def alone(self) -> str:
        """Why there is no runner-up, where there is none."""
        passed_over = self.undecided or len(self.said) > 1
        return "no other is shown to keep its WER" if passed_over else "the only candidate"


def pick_within(
    rule: Rule, ranked: Sequence[Point], pool: Sequence[Point], words: WordCounts
) -> Picked:
    """The first of ``ranked`` that is shown to lose no more WER than the rule allows.

    ranked: within the rule's limits, fastest first; at least one.
    pool: what was measured, within the limits or not.

    Losses are counted from the plain system of the most accurate model in ``ranked``. Where nothing
    within the limits is shown to keep up with it, they are counted from the lowest WER in
    ``ranked``.
    """
    assert rule.max_wer_loss is not None
    lowest = min(ranked, key=_wer)
    for references in (_plain(ranked, pool), {lowest.batch: lowest}):
        judge = _Judge(references, words, rule.max_wer_loss, rule.served)
        found = fastest_within(
            ranked, judge.loss, rule.max_wer_loss, judge.is_reference, judge.far_beyond
        )
        if found.winner is not None:
            break
    winner = found.winner or lowest
    first = {(p.system, p.device): each for each in found.undecided[::-1] for p in [each.one]}
    undecided = [each for each in found.undecided if each in first.values()]
    ahead = {(p.system, p.device) for p in (winner, *found.beyond)} | first.keys()
    behind = [point for point in found.behind if (point.system, point.device) not in ahead]
    return Picked(
        winner,
        runner_up(winner, behind),
        tuple(_rival(rule, judge, winner, each) for each in undecided[:_MOST]),
        (*judge.said(winner), *_beyond(rule, judge, found.beyond)),
        judge.shows(winner).rstrip(".") if found.likely else "",
    )


def runner_up(winner: Point, rivals: Sequence[Point]) -> Point | None:
    """The first of ``rivals``, of another system or device where there is one."""
    others = [point for point in rivals if not same_system(point, winner)]
    comparable = [point for point in others if not unlike(winner.environment, point.environment)]
    return next(iter(comparable or others or rivals), None)


def same_system(a: Point, b: Point) -> bool:
    """Whether only their batches differ."""
    return (a.system, a.device) == (b.system, b.device)


def _wer(point: Point) -> float:
    return point.values[point.error_rate]


def _plain(ranked: Sequence[Point], pool: Sequence[Point]) -> dict[int, Point]:
    """Batch → what losses are counted from: the plain system of the most accurate model.

    A model is as accurate as its plain system, or its best where that was not measured. Its plain
    system has no optimisations and the first engine: that of a search, or the usual one.
    """
    models = {point.model for point in ranked}
    known = [point for point in pool if point.model in models and not barred(point)]
    found: dict[str, list[Point]] = {}
    for model, members in grouped(known, lambda point: point.model).items():
        engine = _first_engine(members)
        plain_ones = [p for p in members if p.engine == engine and not p.optimisations]
        found[model] = plain_ones or [min(members, key=_wer)]
    best = min(found.values(), key=lambda members: min(map(_wer, members)))
    batches = grouped(best, lambda point: point.batch)
    return {batch: min(members, key=_wer) for batch, members in batches.items()}


def _first_engine(points: Sequence[Point]) -> str:
    """The first of a search's, else the usual one, else that of the point begun first."""
    named = (((point.config.get("optimiser") or {}).get("engines")) for point in points)
    engines = next((own for own in named if isinstance(own, list) and own), [PLAIN_ENGINE])
    measured = {point.engine for point in points if not point.optimisations}
    first = min(points, key=lambda point: point.started_at).engine
    return next((str(name) for name in (engines[0], PLAIN_ENGINE) if name in measured), first)


@dataclass(frozen=True)
class _Judge:
    """Counts losses from references."""

    references: Mapping[int, Point]
    """By batch."""
    words: WordCounts
    max_loss: float
    """Share of words."""
    served: bool = False
    """Whether requests arrive, which one system may be served in several ways."""

    def reference(self, point: Point) -> Point:
        """That of the point's batch, or of the smallest where that read more words."""
        those = (self.references.get(point.batch), self.references[min(self.references)])
        return max(filter(None, those), key=lambda plain: plain.values.get("quality/words", 0.0))

    def is_reference(self, point: Point) -> bool:
        """Whether losses are counted from it, or from the same system served in another way."""
        return point is self.references.get(point.batch) or self.served_alike(point)

    def served_alike(self, point: Point) -> bool:
        """Whether it is the reference served in another way, whose texts load hardly changes."""
        lost = self.lost_by_load(point)
        small = lost is not None and lost <= self.max_loss
        return small and same_calls(point, self.reference(point))

    def lost_by_load(self, point: Point) -> float | None:
        """By how much load raises the WER of the same utterances, as a share of words.

        None where no requests arrive, or no load tells.
        """
        alone, loaded = point.value("load/wer_unloaded"), point.value("load/wer")
        known = self.served and alone is not None and loaded is not None
        return (loaded or 0.0) - (alone or 0.0) if known else None

    def loss(self, point: Point) -> WordLoss | None:
        """Of the point against its reference; None where it can't be told."""
        return self.words.loss(self.reference(point), point)

    def far_beyond(self, point: Point) -> bool:
        """Whether the two WERs alone show that it loses too much, or load makes it lose so."""
        lost = self.lost_by_load(point) or 0.0
        return lost > self.max_loss or far_beyond(self.reference(point), point, self.max_loss)

    def said(self, winner: Point) -> tuple[str, ...]:
        """What the winner's WER was held against, and what that shows."""
        limited = limits(self.words.wholly_wrong(self.reference(winner)))
        if winner is not self.references.get(winner.batch) and self.served_alike(winner):
            same = f"{label(winner)} is the system that losses of WER are counted from"
            return f"{same}, served in another way.", *limited
        if self.is_reference(winner):
            return f"{label(winner)} is what losses of WER are counted from.", *limited
        shown = self.shows(winner)
        return f"{shown[0].upper()}{shown[1:]}", *limited

    def shows(self, point: Point) -> str:
        """What the point's words show: "against …, WER +0.2 ± 0.4 points: shown within 0.5."."""
        loss, by_load = self.loss(point), self.lost_by_load(point) or 0.0
        if by_load > self.max_loss:
            return f"load makes its WER {100 * by_load:.1f} points higher than alone."
        if self.far_beyond(point):
            shown = f"a WER that is higher by far more than {100 * self.max_loss:g} points"
        elif loss is None:
            shown = "their words can't be compared"
        else:
            shown = loss_sentence(loss, self.max_loss)
        return f"against {label(self.reference(point))}, {shown}."


def _rival(rule: Rule, judge: _Judge, winner: Point, found: Undecided[Point]) -> Rival:
    """An undecided point, with all that stands beside it."""
    point, loss = found.one, found.loss
    ours, theirs = rule.first.cost(point), rule.first.cost(winner)
    factor = ours / theirs if ours < 0 else theirs / ours
    said = (
        f"Undecided: {label(point)} is {plain(factor)} × {rule.first.as_good} "
        f"({figures(point, rule.shown)}); "
        f"{judge.shows(point)}"
    )
    return Rival(point, factor, loss, said)


def _beyond(rule: Rule, judge: _Judge, points: Sequence[Point]) -> list[str]:
    """What is faster and loses too much, the fastest of each system in a sentence."""
    systems = grouped(points, lambda point: (point.system, point.device))
    lines = []
    for point, *_ in list(systems.values())[:_MOST]:
        lines.append(
            f"{label(point)} is {rule.first.better} ({figures(point, rule.shown)}), but "
            f"{judge.shows(point)}"
        )
    return lines
