"""The last phase: the best few beside the baseline, with the full budget, in fresh processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from asr_scaling.core.record import RunRecord
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.records.merge import merge
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.outcome import Answer, Tried, WaterfallStep
from asr_scaling.search.search_log import SearchLog, wer_too_high
from asr_scaling.search.speedup import gain

_OVERHEAD_S = 8.0
"""Seconds of a process that are not calls: its start with all imports (5), loading, writing."""
_LIKELY = 2.0
"""The speed-up assumed of a finalist when time is reserved for it."""


def seconds(pipeline: Pipeline, call_s: float, batch: int, *, scored: bool = False) -> float:
    """Rough seconds of a process whose calls take ``call_s``: warm-up, timed calls, scoring.

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
    """Seconds to keep for the final at ``batch``: baseline and finalists in all their rounds.

    best: what the search has found. Where that is the baseline, time for one round with one rival
    is kept, in case the search goes on and finds a better one.
    """
    options, base = log.options, Entry(log.baseline, batch)
    call_s = log.records[base].values["latency/mean_s"]
    rounds, finalists = (1, 1) if best == base else (options.processes, options.finalists)
    calls_s = [call_s, *finalists * [call_s / _LIKELY]]
    first_s = sum(seconds(options.final, s, batch) for s in calls_s)
    again_s = sum(seconds(options.final, s, batch, scored=True) for s in calls_s)
    return first_s + (rounds - 1) * again_s


def run_final(log: SearchLog, best: Entry, batch: int, until_s: float) -> Answer:
    """Measure the best, its rivals and those of its steps there is time for; name the winner."""
    base = Entry(log.baseline, batch)
    if best == base:
        return _without_final(log, base, base)
    rivals = _rivals(log, best, batch)[: log.options.finalists - 1]
    entries = [base, best, *rivals]
    steps = [entry for entry in _prefixes(best) if entry not in entries and entry in log.records]
    rounds = _measure(log, entries, steps, until_s)
    records = {entry: merge(measured) for entry, measured in rounds.items()}
    if base not in records or len(records) < 2:
        return _without_final(log, base, best)
    gains = {entry: gain(records[base], records[entry]) for entry in records if entry != base}
    loss = log.options.max_wer_loss
    ranked = sorted(gains, key=lambda entry: gains[entry].factor, reverse=True)
    for entry, over_base in gains.items():
        log.tried[entry, "final"] = Tried(entry, "final", over_base)
        if over_base.too_wrong(loss, final=True):
            log.leave_out(entry, "WER", wer_too_high(over_base, loss))
    good = (e for e in ranked if gains[e].faster and not gains[e].too_wrong(loss, final=True))
    winner = next(good, base)
    total = gains.get(winner) or gain(records[base], records[base])
    both = min(len(rounds[base]), len(rounds[winner]))
    other = next((log.tried[entry, "final"] for entry in ranked if entry != winner), None)
    way = _steps(log, base, winner, records)
    return Answer(batch, base, winner, total, "final", both, way, other)


def _rivals(log: SearchLog, best: Entry, batch: int) -> list[Entry]:
    """What is faster than the baseline, other engines first, then fastest first.

    Other engines err in other words, so they are the better insurance. The best with more
    optimisations, which did not help it, is no rival.
    """
    engine, used = best.candidate.engine, set(best.candidate.optimisations)
    rivals = [
        entry
        for entry in log.ranked(entry for entry in log.records if entry.batch == batch)
        if (over_base := log.gain(entry)) and over_base.promising
        if entry.candidate.engine != engine or not used.issubset(entry.candidate.optimisations)
    ]
    return sorted(rivals, key=lambda entry: entry.candidate.engine == engine)


def _measure(
    log: SearchLog, entries: Sequence[Entry], steps: Sequence[Entry], until_s: float
) -> dict[Entry, list[RunRecord]]:
    """Rounds of all ``entries``, every second one backwards, and of ``steps`` in the time left.

    The first round of the baseline and of the best is measured whatever the time: without it there
    is no answer.
    """
    rounds: dict[Entry, list[RunRecord]] = {}
    took = {
        entry: seconds(log.options.final, log.records[entry].values["latency/mean_s"], entry.batch)
        for entry in (*entries, *steps)
    }
    for number in range(log.options.processes):
        ahead = log.options.processes - 1 - number
        for entry in (*entries[:: -1 if number % 2 else 1], *steps):
            kept_s = ahead * sum(map(took.__getitem__, entries)) if entry in steps else 0.0
            sure, before_s = number == 0 and entry in entries[:2], log.bench.spent_s
            if not sure and before_s + took[entry] + kept_s > until_s:
                continue  # the answer says how many rounds there were
            record = log.bench.measure(Trial(entry, "final", number))
            scoring_s = record.job_s.get("quality", 0.0)  # only the first round scores
            took[entry] = log.bench.spent_s - before_s - scoring_s
            if record.status == "ok":
                rounds.setdefault(entry, []).append(record)
            else:
                log.leave_out(entry, "failed", record.outcome)
    return rounds


def _without_final(log: SearchLog, base: Entry, best: Entry) -> Answer:
    """Nothing beat the baseline, or there was no final: what the search itself measured."""
    total = log.gain(best, base)
    assert total is not None, "both were measured by the search"
    first = {tried.entry: tried for tried in reversed(log.tried.values())}
    ranked = log.ranked(e for e in log.records if e.batch == base.batch and e not in (best, base))
    other = next((first[entry] for entry in ranked if entry in first), None)
    way = _steps(log, base, best, {})
    return Answer(base.batch, base, best, total, first[best].stage, 0, way, other)


def _prefixes(best: Entry) -> list[Entry]:
    """The bare engine, then with one optimisation more each, ``best`` itself left out."""
    engine, names = best.candidate.engine, best.candidate.optimisations
    return [Entry(Candidate(engine, names[:n]), best.batch) for n in range(len(names))]


def _steps(
    log: SearchLog, base: Entry, winner: Entry, final: Mapping[Entry, RunRecord]
) -> tuple[WaterfallStep, ...]:
    """The way from the baseline to the winner, by records of the final where both ends have one."""
    steps, before = list[WaterfallStep](), base
    for entry in (*_prefixes(winner), winner):
        stage: Stage = "final" if before in final and entry in final else "together"
        records = final if stage == "final" else log.records
        if entry == before or before not in records or entry not in records:
            continue  # what was never measured is part of the next step
        used = before.candidate.optimisations
        name = " + ".join(name for name in entry.candidate.optimisations if name not in used)
        if entry.candidate.engine != before.candidate.engine:
            name = entry.candidate.label
        if entry.batch != before.batch:
            name = f"{name} at batch {entry.batch}".strip()
        steps.append(WaterfallStep(name, entry, stage, gain(records[before], records[entry])))
        before = entry
    return tuple(steps)
