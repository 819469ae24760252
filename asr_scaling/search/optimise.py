"""The whole search in a time budget: baselines, single changes, combinations, the final."""

from __future__ import annotations

import math

from asr_scaling.errors import EngineError
from asr_scaling.search.candidates import Entry
from asr_scaling.search.combination import combine, shrink_batch
from asr_scaling.search.final import reserve, run_final
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Outcome
from asr_scaling.search.screening import carry_over, screen
from asr_scaling.search.search_log import NO_TIME, Bench, SearchLog

_MOST_RESERVED = 0.5
"""Share of the budget that the finals may keep from the search."""
_SCREENING = 0.6
"""Share of a batch's time that screening may take."""


def optimise(options: Options, bench: Bench) -> Outcome:
    """What is fastest at each batch, found within the budget.

    Given the same records and times of ``bench`` it makes the same choices, so that a search that
    was cut can go on. Raises EngineError when not even the baseline can be measured.
    """
    log = SearchLog(bench, options)
    bases = {size: Entry(log.baseline, size) for size in options.batches}
    # baselines are measured whatever the time; a batch whose baseline fails is left out
    sizes = [
        size for size, base in bases.items() if log.search(base, "alone", math.inf) is not None
    ]
    if not sizes:
        raise EngineError(_why(log))
    reserved_s = sum(reserve(log, size) for size in sizes)
    cut = min(1.0, _MOST_RESERVED * options.seconds / reserved_s)
    until_s = options.seconds - cut * reserved_s
    best = _search(log, sizes, until_s)
    kept_s = {size: cut * reserve(log, size, best[size]) for size in sizes}
    later_s = options.seconds - sum(kept_s.values())
    if later_s > until_s and any(left.why == NO_TIME for left in log.left_out.values()):
        best = _search(log, sizes, later_s)
    answers = []
    for number, size in enumerate(sizes):
        others_s = sum(kept_s[later] for later in sizes[number + 1 :])
        answers.append(run_final(log, best[size], size, options.seconds - others_s))
    return Outcome(
        minutes=options.minutes,
        spent_s=bench.spent_s,
        max_wer_loss=options.max_wer_loss,
        answers=tuple(answers),
        tried=tuple(log.tried.values()),
        left=tuple(log.left_out.values()),
        notes=tuple(_notes(log)),
    )


def _search(log: SearchLog, sizes: list[int], until_s: float) -> dict[int, Entry]:
    """Batch → the best found until ``until_s`` of the budget; nothing is measured twice."""
    best = {}
    for number, size in enumerate(sizes):
        begun_s = log.bench.spent_s
        time_s = max(0.0, until_s - begun_s) / (len(sizes) - number)
        end_s = begun_s + time_s
        earlier = sizes[number - 1] if number else None
        if earlier is not None:
            carry_over(log, size, earlier, end_s)
        screen(log, size, earlier, begun_s + _SCREENING * time_s)
        best[size] = shrink_batch(log, combine(log, size, end_s), min(sizes), end_s)
    return best


def _why(log: SearchLog) -> str:
    reasons = "; ".join(dict.fromkeys(left.why.rstrip(".") for left in log.left_out.values()))
    baseline = f"The baseline, engine={log.baseline.engine}, can't be measured ({reasons})"
    return f"{baseline}: name another first engine."


def _notes(log: SearchLog) -> list[str]:
    bases = [Entry(log.baseline, size) for size in log.options.batches]
    notes = [
        f"Batch {base.batch} has no answer, its baseline could not be measured: "
        f"{log.left_out[base].why}"
        for base in bases
        if base in log.left_out
    ]
    if any("quality/wer" not in record.values for record in log.records.values()):
        notes.append(
            "No WER is known, so none could be kept: random weights, or profiler without quality."
        )
    if log.bench.spent_s > log.options.seconds:
        notes.append(
            "The budget was exceeded: baseline and best are measured to the end even where it is "
            "too short for them."
        )
    return notes
