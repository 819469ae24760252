"""The last phase: the best few beside the baseline, with the full budget, in rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asr_scaling.core.record import RunRecord
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.records.merge import merge
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.gain import Gain, gain
from asr_scaling.search.outcome import Answer, Tried, WaterfallStep
from asr_scaling.search.search_log import SearchLog, wer_too_high

_OVERHEAD_S = 3.0
"""Seconds of a point that are not calls: loading, writing."""
_LIKELY = 2.0
"""The speed-up assumed of a finalist when time is reserved for it."""


def seconds(pipeline: Pipeline, call_s: float, batch: int, *, scored: bool = False) -> float:
    """Rough seconds of a point whose calls take ``call_s``: warm-up, timed calls, scoring.

    By the rules of ``Pipeline``; that precision may end the timed pass earlier is left out.
    ``scored``: an earlier round has scored all speech.
    """
    calls = math.ceil((pipeline.utterances or 16) / batch)
    affordable = call_s * pipeline.min_iterations <= 6 * pipeline.max_seconds
    least = pipeline.min_iterations if affordable else min(3, pipeline.min_iterations)
    timed = max(least * call_s, pipeline.max_seconds)
    warm = max(pipeline.warmup * call_s, min(pipeline.warmup_seconds, 6 * call_s))
    return _OVERHEAD_S + warm + timed + (0.0 if scored else max(0.0, calls * call_s - timed))


def reserve(log: SearchLog, batch: int, best: Entry | None = None) -> float:
    """Seconds to keep for the final at ``batch``: the baseline and its finalists in all their
    rounds.

    ``best``: what the search has found. Where that is the baseline, time for one round with one
    rival is kept, in case the search goes on and finds a better one.
    """
    options, base = log.options, Entry(log.baseline, batch)
    call_s = log.records[base].values["latency/mean_s"]
    rounds, finalists = (1, 1) if best == base else (options.rounds, options.finalists)
    rival_s = seconds(options.final, call_s / _LIKELY, batch)
    again_s = sum(
        seconds(options.final, s, batch, scored=True)
        for s in (call_s, *finalists * [call_s / _LIKELY])
    )
    return seconds(options.final, call_s, batch) + finalists * rival_s + (rounds - 1) * again_s


def run_final(log: SearchLog, best: Entry, batch: int, until_s: float) -> Answer:
    """Measure the best, its rivals and those of its steps there is time for; name the winner."""
    base = Entry(log.baseline, batch)
    if best == base:
        return _without_final(log, base, base)
    rivals = _rivals(log, best, batch)[: log.options.finalists - 1]
    entries = [base, best, *rivals]
    steps = [each for each in _prefixes(best) if each not in entries and each in log.records]
    rounds = _measure(log, entries, steps, until_s)
    found = {entry: merge(records) for entry, records in rounds.items()}
    if base not in found or len(found) < 2:
        return _without_final(log, base, best)
    gains = {entry: gain(found[base], record) for entry, record in found.items() if entry != base}
    for entry, each in gains.items():
        log.tried[entry, "final"] = Tried(entry, "final", each)
    loss = log.options.max_wer_loss
    for entry, each in gains.items():
        if each.too_wrong(loss, final=True):
            log.leave_out(entry, "WER", wer_too_high(each, loss))
    good = [
        entry
        for entry, each in gains.items()
        if not each.too_wrong(loss, final=True) and each.faster
    ]
    winner = max(good, key=lambda entry: gains[entry].factor, default=base)
    others = sorted((e for e in gains if e != winner), key=lambda e: gains[e].factor, reverse=True)
    total = gains.get(winner) or gain(found[base], found[base])
    both = min(len(rounds[each]) for each in (base, winner))
    other = next((log.tried[each, "final"] for each in others), None)
    return Answer(
        batch, base, winner, total, "final", both, _steps(log, base, winner, found), other
    )


def _rivals(log: SearchLog, best: Entry, batch: int) -> list[Entry]:
    """What is faster than the baseline, other engines first, then fastest first.

    Other engines err in other words, so they are the better insurance. The best with more
    optimisations, which did not help it, is no rival.
    """
    mine = best.candidate
    rivals = [
        each
        for each in log.ranked(each for each in log.records if each.batch == batch)
        if (found := log.gain(each)) is not None
        and found.promising
        and not (
            each.candidate.engine == mine.engine
            and set(each.candidate.optimisations) >= set(mine.optimisations)
        )
    ]
    return sorted(rivals, key=lambda each: each.candidate.engine == mine.engine)


def _measure(
    log: SearchLog, entries: Sequence[Entry], steps: Sequence[Entry], until_s: float
) -> dict[Entry, list[RunRecord]]:
    """Rounds of all ``entries``, every second one backwards, and of ``steps`` in the time left.

    The first round of the baseline and of the best is measured whatever the time: without it there
    is no answer.
    """
    found: dict[Entry, list[RunRecord]] = {}
    took = {entry: _expected(log, entry) for entry in (*entries, *steps)}
    for number in range(log.options.rounds):
        ahead = log.options.rounds - 1 - number
        for entry in (*entries[:: -1 if number % 2 else 1], *steps):
            kept_s = ahead * sum(took[each] for each in entries) if entry in steps else 0.0
            sure, before = number == 0 and entry in entries[:2], log.bench.spent_s
            if not sure and before + took[entry] + kept_s > until_s:
                continue  # the answer says how many rounds there were
            record = log.bench.measure(Trial(entry, "final", number))
            scoring_s = record.job_s.get("quality", 0.0)  # only the first round scores
            took[entry] = log.bench.spent_s - before - scoring_s
            if record.status == "ok":
                found.setdefault(entry, []).append(record)
            else:
                log.leave_out(entry, "failed", record.outcome)
    return found


def _expected(log: SearchLog, entry: Entry) -> float:
    return seconds(log.options.final, log.records[entry].values["latency/mean_s"], entry.batch)


def _without_final(log: SearchLog, base: Entry, best: Entry) -> Answer:
    """Nothing beat the baseline, or there was no final: what the search itself measured."""
    total = _over(log, best, base)
    others = [
        each
        for each in log.ranked(e for e in log.records if e.batch == base.batch)
        if each not in (best, base)
    ]
    tried = next((t for each in others for (e, _), t in log.tried.items() if e == each), None)
    stages: list[Stage] = [each.stage for each in log.tried.values() if each.entry == best]
    stage = stages[0]
    return Answer(base.batch, base, best, total, stage, 0, _steps(log, base, best, {}), tried)


def _prefixes(best: Entry) -> list[Entry]:
    """The bare engine, then with one optimisation more each, ``best`` itself left out."""
    now = best.candidate
    return [
        Entry(Candidate(now.engine, now.optimisations[:n]), best.batch)
        for n in range(len(now.optimisations))
    ]


def _steps(
    log: SearchLog, base: Entry, winner: Entry, found: dict[Entry, RunRecord]
) -> tuple[WaterfallStep, ...]:
    """The way from the baseline to the winner; a step is of the final where both its ends were in
    it.
    """
    steps, before = list[WaterfallStep](), base
    for entry in (*_prefixes(winner), winner):
        if entry == before:
            continue
        names = entry.candidate.optimisations
        added = [name for name in names if name not in before.candidate.optimisations]
        name = (
            " + ".join(added)
            if entry.candidate.engine == before.candidate.engine
            else entry.candidate.label
        )
        name = name if entry.batch == before.batch else f"{name} at batch {entry.batch}".strip()
        if before in found and entry in found:
            steps.append(WaterfallStep(name, entry, "final", gain(found[before], found[entry])))
        elif before in log.records and entry in log.records:
            steps.append(
                WaterfallStep(
                    name, entry, "together", gain(log.records[before], log.records[entry])
                )
            )
        else:
            continue  # this prefix was never measured: the next step takes it in
        before = entry
    return tuple(steps)


def _over(log: SearchLog, entry: Entry, base: Entry) -> Gain:
    found = log.gain(entry, base)
    assert found is not None, "both were measured by the search"
    return found
