"""The final: what was chosen is measured anew beside the baseline, and reads more speech.

A figure by which something was chosen is higher than what it will show again, so figures of the
final never choose: the order is that of the semifinal, and only words decide in the final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asr_scaling.analysis.recommendation.within_loss import Within, fastest_within
from asr_scaling.search.candidates import Entry, Stage, Trial
from asr_scaling.search.compositions import Compositions
from asr_scaling.search.outcome import Answer, Rival, Tried, WaterfallStep
from asr_scaling.search.search_log import SearchLog
from asr_scaling.search.semifinal import chosen_for_final
from asr_scaling.search.speedup import Gain
from asr_scaling.search.time_plan import speech

_WORTH = 1.05
"""So many times the baseline's speed makes something worth a final in place of what is unsure."""


def final(log: SearchLog, batch: int, ranked: Sequence[Entry], until_s: float) -> Answer:
    """Measure what the semifinal chose, and the baseline, in turns; name the winner.

    ranked: by the semifinal, the fastest first.
    """
    base = log.base(batch)
    there = _first_round(log, base, ranked, until_s)
    _more_rounds(log, [base, *there], until_s)
    there = log.kept(there)
    if not log.of(base, "final") or not there:
        return _without_final(log, base)
    gains = {entry: log.bench.gain(base, entry, "final") for entry in there}
    faster = [entry for entry in there if (over := gains[entry]) and over.faster]
    found = _judged(log, base, faster)
    winner = found.winner or base
    total = gains.get(winner) or log.bench.gain(base, base, "final")
    assert total is not None, "both were measured in the final"
    total = _with_all_words(log, winner, total)
    rivals = tuple(_rival(log, winner, each.one) for each in found.undecided)
    rounds = min(len(log.of(base, "final")), len(log.of(winner, "final")))
    return Answer(
        batch=batch,
        baseline=base,
        winner=winner,
        total=total,
        stage="final",
        rounds=rounds,
        steps=_steps(log, base, winner),
        other=_other(log, base, winner, ranked),
        undecided=rivals,
        words_needed=_needed(log, winner) if found.likely else None,
        likely=found.likely,
    )


def _judged(log: SearchLog, base: Entry, faster: Sequence[Entry]) -> Within[Entry]:
    """By the rule of every answer; where no words are known at all, the fastest."""
    if faster and log.loss(faster[0]) is None:
        return Within(faster[0], (), (), ())
    allowed = log.options.max_wer_share
    return fastest_within([*faster, base], log.loss, allowed, lambda entry: entry == base)


def _rival(log: SearchLog, winner: Entry, entry: Entry) -> Rival:
    over = log.bench.gain(winner, entry, "final")
    over_baseline = log.bench.gain(log.base(winner.batch), entry, "final")
    assert over is not None, "both were measured in the final"
    assert over_baseline is not None, "both were measured in the final"
    return Rival(entry, over, _with_all_words(log, entry, over_baseline), _needed(log, entry))


def _with_all_words(log: SearchLog, entry: Entry, over: Gain) -> Gain:
    """The gain with the change of WER that decided: by all words of the search's one baseline."""
    return replace(over, loss=log.loss(entry) or over.loss)


def _needed(log: SearchLog, entry: Entry) -> int | None:
    loss = log.loss(entry)
    return loss.words_needed(log.options.max_wer_share) if loss else None


def _first_round(
    log: SearchLog, base: Entry, ranked: Sequence[Entry], until_s: float
) -> list[Entry]:
    """Measure what the semifinal chose; while none of it is shown to keep the WER, what is slower.

    All of them read all speech. The baseline and the first choice are measured whatever the time:
    without them there is no answer.
    """
    others = log.fastest_first(Compositions(log, base.batch).considered())
    left = [entry for entry in dict.fromkeys((*ranked, *others)) if entry != base]
    wanted, there = [base, *chosen_for_final(log, log.kept(ranked))], list[Entry]()
    sure = wanted[:2]
    while wanted:
        entry = wanted.pop(0)
        read = None if entry == base else speech(log)
        cost_s = log.cost(entry, "final", read or 0)
        fits = entry in sure or log.bench.spent_s + cost_s <= until_s
        if fits and not log.of(entry, "final") and not log.excluded(entry):
            rank = 0 if entry == base else len(there) + 1
            log.measure(Trial(entry, "final", 0, read, rank))
            there += [entry] if log.of(entry, "final") and entry != base else []
        left = [other for other in left if other != entry]
        if not wanted and not _shown(log, base, there):
            wanted = _instead(log, base, left, there)[:1]
    return there


def _shown(log: SearchLog, base: Entry, there: Sequence[Entry]) -> bool:
    """Whether one of them is shown to keep the WER."""
    found = _judged(log, base, log.kept(there))
    return found.winner not in (None, base) and not found.likely


def _instead(
    log: SearchLog, base: Entry, left: Sequence[Entry], there: Sequence[Entry]
) -> list[Entry]:
    """What is faster than the baseline and has not all that one has which is not shown to keep it.

    The fastest first.
    """
    unsure = [entry.candidate for entry in there]
    return [
        entry
        for entry in log.kept(left)
        if log.speed_over(base, entry) > _WORTH
        and log.possible(entry)
        and not any(
            one.engine == entry.candidate.engine
            and set(one.optimisations) <= set(entry.candidate.optimisations)
            for one in unsure
        )
    ]


def _more_rounds(log: SearchLog, entries: Sequence[Entry], until_s: float) -> None:
    """Further rounds of all that are still there, every second one backwards."""
    for number in range(1, log.options.processes):
        for entry in log.kept(entries[:: -1 if number % 2 else 1]):
            fits = log.bench.spent_s + log.cost(entry, "final") <= until_s
            if fits and len(log.of(entry, "final")) == number:
                rank = entries.index(entry)
                log.measure(Trial(entry, "final", number, None, rank))


def _without_final(log: SearchLog, base: Entry) -> Answer:
    """Nothing came into a final: the baseline, by what the search itself measured."""
    total = log.bench.gain(base, base, "search")
    assert total is not None, "the baseline was measured by the search"
    measured = (entry for entry in log.measured(base.batch) if entry != base)
    other = _other(log, base, base, log.fastest_first(measured))
    return Answer(base.batch, base, base, total, "search", 0, (), other)


def _other(log: SearchLog, base: Entry, winner: Entry, ranked: Sequence[Entry]) -> Tried | None:
    """The fastest that is not the winner, of the latest stage that measured it."""
    stages: tuple[Stage, ...] = ("final", "semifinal", "search")
    for entry in ranked:
        stage = next((stage for stage in stages if log.of(entry, stage)), None)
        if entry != winner and stage and (over := log.bench.gain(base, entry, stage)):
            return Tried(entry, stage, over)
    return None


def _steps(log: SearchLog, base: Entry, winner: Entry) -> tuple[WaterfallStep, ...]:
    """From the baseline to the winner, an optimisation more each, by what the search measured.

    The engine comes first, then the way through measured entries whose next step gains most.
    """
    steps, before = list[WaterfallStep](), base
    measured = {entry for entry, stage in log.trials if stage == "search"}
    while before != winner:
        after = _next_step(log, measured, before, winner)
        step = _step(log, before, after)
        if step is None:
            break
        steps.append(step)
        before = after
    return tuple(steps)


def _step(log: SearchLog, before: Entry, after: Entry) -> WaterfallStep | None:
    """By the first stage that measured both; what regroups has no trial before the semifinal."""
    stages: tuple[Stage, ...] = ("search", "semifinal", "final")
    for stage in stages:
        over: Gain | None = log.bench.gain(before, after, stage)
        if over is not None:
            return WaterfallStep(_named(before, after), after, stage, over)
    return None


def _next_step(log: SearchLog, measured: set[Entry], before: Entry, winner: Entry) -> Entry:
    """The measured entry on the way that adds the fewest changes, the fastest of them."""
    goal = winner.candidate
    crossed = before.candidate.engine == goal.engine
    has = set(before.candidate.optimisations) if crossed else set()
    ways = [
        entry
        for entry in measured
        if entry.batch == winner.batch
        and entry.candidate.engine == goal.engine
        and has <= set(entry.candidate.optimisations) <= set(goal.optimisations)
        and entry != before
    ]
    fewest = min((len(way.candidate.optimisations) for way in ways), default=None)
    if fewest is None:
        return winner
    shortest = [way for way in ways if len(way.candidate.optimisations) == fewest]
    return max(shortest, key=lambda way: log.speed_over(before, way))


def _named(before: Entry, after: Entry) -> str:
    if before.candidate.engine != after.candidate.engine:
        return after.candidate.label
    used: Sequence[str] = before.candidate.optimisations
    return " + ".join(name for name in after.candidate.optimisations if name not in used)
