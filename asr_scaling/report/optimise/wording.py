"""The answers of a search in words: the gains, and the command line that runs the winner."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.comparison.word_loss_text import (
    NO_NUMBER,
    limits,
    wer_change,
    would_decide,
)
from asr_scaling.analysis.format import with_interval
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.reproduce import command
from asr_scaling.core.word_loss import WordLoss
from asr_scaling.search.outcome import Answer, Outcome, Rival
from asr_scaling.search.searched_points import point_of
from asr_scaling.search.speedup import Gain

_FINAL = "from the final: whole budget, in turns with the baseline"
_SEMIFINAL = "from the semifinal: fresh processes, few calls"
_SEARCH = "from the search: few utterances, one after the other"


def summary(found: Outcome, points: Sequence[Point]) -> list[str]:
    """Lines for a terminal: per batch what is fastest, its gains by step, and how to run it."""
    lines = list[str]()
    for answer in found.answers:
        lines += ["", f"{verdict(answer)}"]
        lines += [f"  {line}" for line in open_questions(answer)]
        lines += [f"  {waterfall(answer)}"] if answer.steps else []
        point = point_of(points, answer.winner, answer.stage)
        if point and answer.winner != answer.baseline:
            lines.append(f"  {command(point)}")
    minutes = found.spent_s / 60
    spent = f"{minutes:.1f} of {found.minutes:g} minutes spent, {len(found.tried)} measurements."
    left = f"Refused, left out or not tried: {len(found.left)}; optimise.json says why."
    return [*lines, "", *limited(found), f"{spent} {left}", *found.notes]


def open_questions(answer: Answer) -> list[str]:
    """What was left undecided, and what would decide it; a line each."""
    likely = [only_likely(answer)] if answer.likely else []
    return [*likely, *(left_open(answer, rival) for rival in answer.undecided)]


def goal(answer: Answer) -> str:
    """What calls of this batch are for."""
    return "Latency, batch 1" if answer.batch == 1 else f"Throughput, batch {answer.batch}"


def verdict(answer: Answer) -> str:
    """ "Latency, batch 1: transformers + int8 is 1.52 ± 0.05 × as fast as transformers, WER +0.1 ±
    0.3 points."
    """
    baseline = answer.baseline.candidate.label
    if answer.winner == answer.baseline and answer.other is None:
        why = "all were refused, failed, too wrong or not tried, see below."
        return f"{goal(answer)}: no other way gave an answer: {why}"
    if answer.winner == answer.baseline and answer.undecided:
        return (
            f"{goal(answer)}: nothing faster than {baseline} is shown to be as accurate, and "
            "something may be."
        )
    if answer.winner == answer.baseline:
        better = f"faster than {baseline} beyond noise and as accurate{_nearest(answer)}"
        return f"{goal(answer)}: nothing that was tried is {better}."
    change = f"is {times(answer.total)} as fast as {baseline}, {wer_change(answer.total.loss)}"
    return f"{goal(answer)}: {answer.winner.candidate.label} {change} ({origin(answer)})."


def _nearest(answer: Answer) -> str:
    """What came nearest, and the noise that it had to exceed."""
    if answer.other is None:
        return ""
    found = answer.other.gain
    label = answer.other.entry.candidate.label
    said = f"{label}, was {times(found)} as fast, {wer_change(found.loss)}"
    why = f" ({found.why})" if found.why else ""
    return f"; the fastest other, {said}{why}"


def origin(answer: Answer) -> str:
    """Where the total comes from."""
    if answer.stage != "final":
        return _SEMIFINAL if answer.stage == "semifinal" else _SEARCH
    return f"{_FINAL}, {answer.rounds} process{'es' if answer.rounds > 1 else ''} each"


def left_open(answer: Answer, rival: Rival) -> str:
    """What is faster than the winner and not decided by its words, and what would decide it."""
    over, loss = answer.winner.candidate.label, rival.over_baseline.loss
    return (
        f"Undecided: {rival.entry.candidate.label} is {times(rival.gain)} as fast as {over}, "
        f"{wer_change(loss)}{_so_far(loss, rival.words_needed)}."
    )


def only_likely(answer: Answer) -> str:
    """Where the winner's WER is not shown to be within what is allowed: what would decide it."""
    said = "Provisional: its WER is likely to be within what is allowed and not shown to be"
    return f"{said}{_so_far(answer.total.loss, answer.words_needed)}."


def _so_far(loss: WordLoss | None, needed: int | None) -> str:
    """Over how many words, and what would decide."""
    if loss is None:
        return ""
    open_still = NO_NUMBER if needed is None else would_decide(loss, needed)
    return f" over {loss.words:,} words; {open_still}"


def limited(found: Outcome) -> tuple[str, ...]:
    """What changes of WER don't count of the baseline's errors; nothing where they count all."""
    answers = found.answers
    gains = [gain for a in answers for gain in (a.total, *(r.over_baseline for r in a.undecided))]
    most = max((gain.loss.wholly_wrong for gain in gains if gain.loss), default=0)
    return limits(most)


def waterfall(answer: Answer) -> str:
    """ "dynamic_window 2.40 ×, int8 1.50 ×, together 3.30 ×"."""
    steps = ", ".join(f"{step.name} {times(step.gain)}" for step in answer.steps)
    return f"{steps}, together {times(answer.total)}" if len(answer.steps) > 1 else steps


def times(gain: Gain) -> str:
    """ "2.40 ± 0.12 ×"; without an interval the bare factor."""
    return f"{with_interval(gain.factor, gain.interval)} ×"
