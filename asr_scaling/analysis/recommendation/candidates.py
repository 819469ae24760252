"""Which measured points an answer is chosen among: of one speech, by the best evidence of each."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from asr_scaling.analysis.format import speech
from asr_scaling.analysis.points import Point, length_name, length_order
from asr_scaling.analysis.recommendation.budget import Budget
from asr_scaling.analysis.recommendation.ranks import best_evidence
from asr_scaling.analysis.recommendation.word_counts import WordCounts
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.analysis.speech_names import is_called, usual_speech
from asr_scaling.core.search_stage import FINAL, search_stage
from asr_scaling.util.groups import grouped


@dataclass(frozen=True)
class Candidates:
    """What an answer is chosen among."""

    points: tuple[Point, ...]
    """Of one speech, the best evidence of each configuration."""
    everything: tuple[Point, ...]
    """Of the same dataset, of other lengths and batches too."""
    dataset: str | None
    length_s: float | None
    """Of the fragments; None for natural utterances."""
    aside: tuple[str, ...]
    """How many finished points were set aside, why, and the option that asks for them."""
    left_out: tuple[str, ...]
    """How many points can never be recommended, and why."""
    measured: str
    """What finished points there are: models, speech, and when the newest sweep began."""
    why_none: str
    """Why there is nothing to choose among; empty where there is something."""
    words: WordCounts = field(default_factory=WordCounts, repr=False, compare=False)
    """Word errors of the points, once they were read."""

    @property
    def speech(self) -> str:
        """ "natural utterances of demo"."""
        where = speech(self.length_s)
        return f"{where} of {self.dataset}" if self.dataset else where


def candidates(points: Sequence[Point], budget: Budget, served: bool = False) -> Candidates:
    """Those of ``points`` that ``budget`` asks for.

    points: with names that tell them apart (analysis/system_names.py).
    served: whether it matters how requests become calls.

    Speech that isn't named is that of the newest sweep, natural utterances where there are any.
    Points of engine=fake count only where nothing else was measured.
    """
    genuine = [point for point in points if point.weights != "fake"] or points
    finished = [point for point in genuine if point.ok]
    left_out = {
        "of engine=fake": len(points) - len(genuine),
        "not measured to their end": len(genuine) - len(finished),
    }
    dataset, length_s = _speech(finished, budget)
    everything = [point for point in finished if point.dataset == dataset]
    long = [point for point in everything if point.length_s == length_s]
    sized = [point for point in long if budget.batch in (None, point.batch)]
    chosen, other = best_evidence(sized, served)
    ids = set(map(id, chosen))
    aside = (
        *_asked_for(finished, everything, long, budget),
        *_counted(other),
    )
    return Candidates(
        tuple(point for point in finished if id(point) in ids),
        tuple(everything),
        dataset,
        length_s,
        aside,
        tuple(_counted(left_out)),
        _measured(finished),
        _why_none(finished, everything, long, sized, budget),
    )


def _speech(points: Sequence[Point], budget: Budget) -> tuple[str | None, float | None]:
    """Dataset and length that are meant."""
    called = [p for p in points if budget.dataset is None or is_called(p, budget.dataset)]
    if budget.length_s is not None:
        called = [p for p in called if p.length_s == budget.length_s] or called
    newest = _newest_sweep(called)
    newest = [point for point in newest if search_stage(point.config) == FINAL] or newest
    natural = [point for point in newest if point.length_s is None]
    dataset = usual_speech(natural or newest) or budget.dataset
    if budget.length_s is not None:
        return dataset, budget.length_s
    of_it = [point for point in called if point.dataset == dataset]
    if any(point.length_s is None for point in of_it):
        return dataset, None
    return dataset, reference_length(of_it)


def _newest_sweep(points: Sequence[Point]) -> list[Point]:
    """The points of the sweep that has the point which was begun last."""
    if not points:
        return []
    newest = max(points, key=lambda point: point.started_at)
    return [point for point in points if _sweep(point) == _sweep(newest)]


def _sweep(point: Point) -> str:
    """The folder of its sweep; empty for records that don't say it, which count as of one."""
    return str((point.config.get("hydra") or {}).get("sweep") or "")


def _asked_for(
    finished: Sequence[Point],
    everything: Sequence[Point],
    long: Sequence[Point],
    budget: Budget,
) -> Iterable[str]:
    """What was set aside for its speech or batch, with the option that asks for it."""
    length_s = long[0].length_s if long else budget.length_s
    for other, members in _by_length(p for p in everything if p.length_s != length_s):
        option = "without --length" if other is None else f"--length {other:g}"
        yield f"{_points(len(members))} of {speech(other)} ({option})"
    names = grouped(finished, lambda point: point.dataset)
    for name in sorted(names.keys() - {point.dataset for point in everything}):
        yield f"{_points(len(names[name]))} of {name} (--dataset {shlex.quote(name)})"
    others = Counter(p.batch for p in long if budget.batch not in (None, p.batch))
    for batch, count in sorted(others.items()):
        yield f"{_points(count)} of batch {batch} (--batch {batch})"


def _by_length(points: Iterable[Point]) -> Iterable[tuple[float | None, list[Point]]]:
    groups = grouped(points, lambda point: point.length_s)
    return sorted(groups.items(), key=lambda item: length_order(item[0]))


def _counted(reasons: dict[str, int] | Counter[str]) -> Iterable[str]:
    return (f"{_points(count)} {reason}" for reason, count in reasons.items() if count)


def _points(count: int) -> str:
    return f"{count:,} point" if count == 1 else f"{count:,} points"


def _measured(points: Sequence[Point]) -> str:
    """ "84 points: whisper_base; natural utterances and fragments of 15 s of demo; …"."""
    if not points:
        return "nothing to its end"
    models = ", ".join(sorted({point.model for point in points}))
    datasets = grouped(points, lambda point: point.dataset)
    speeches = (
        f"{name} ({', '.join(length_name(each) for each, _ in _by_length(members))})"
        for name, members in sorted(datasets.items())
    )
    began = min(point.started_at for point in _newest_sweep(points))
    newest = f"{datetime.fromtimestamp(began, UTC):%Y-%m-%d %H:%M} UTC"
    return f"{_points(len(points))} of {models} on {', '.join(speeches)}; newest sweep {newest}"


def _why_none(
    finished: Sequence[Point],
    everything: Sequence[Point],
    long: Sequence[Point],
    sized: Sequence[Point],
    budget: Budget,
) -> str:
    if long and not sized:
        batches = ", ".join(map(str, sorted({point.batch for point in long})))
        return f"No batch of {budget.batch} was measured here; measured: {batches}."
    if finished and not everything:
        names = ", ".join(sorted({point.dataset for point in finished}))
        return f"No speech of {budget.dataset} was measured here; measured: {names}."
    return ""
