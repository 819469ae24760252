"""The whole search in a time budget: baselines, single changes, combinations, the final."""

from __future__ import annotations

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
    sizes = [size for size in options.batches if _baseline(log, Entry(log.baseline, size))]
    if not sizes:
        raise EngineError(_why(log))
    kept = {size: reserve(log, size) for size in sizes}
    cut = min(1.0, _MOST_RESERVED * options.seconds / sum(kept.values()))
    ends = options.seconds - cut * sum(kept.values())
    best = _search(log, sizes, ends)
    kept = {size: cut * reserve(log, size, best[size]) for size in sizes}
    if options.seconds - sum(kept.values()) > ends and any(
        left.why == NO_TIME for left in log.left_out.values()
    ):
        best = _search(log, sizes, options.seconds - sum(kept.values()))
    answers = []
    for number, size in enumerate(sizes):
        later = sum(kept[each] for each in sizes[number + 1 :])
        answers.append(run_final(log, best[size], size, options.seconds - later))
    return Outcome(
        options.minutes, bench.spent_s, options.max_wer_loss, tuple(answers), tuple(log.tried.values()),
        tuple(log.left_out.values()), tuple(_notes(log)),
    )  # fmt: skip


def _search(log: SearchLog, sizes: list[int], ends: float) -> dict[int, Entry]:
    """Batch → the best found for it until ``ends`` of the budget; what was measured before is not
    measured again.
    """
    best = {}
    for number, size in enumerate(sizes):
        begun = log.bench.spent_s
        time_s = max(0.0, ends - begun) / (len(sizes) - number)
        earlier = sizes[number - 1] if number else None
        if earlier is not None:
            carry_over(log, size, earlier, begun + time_s)
        screen(log, size, earlier, begun + _SCREENING * time_s)
        best[size] = shrink_batch(
            log, combine(log, size, begun + time_s), min(sizes), begun + time_s
        )
    return best


def _baseline(log: SearchLog, entry: Entry) -> bool:
    """Measured whatever the time; a batch whose baseline fails is left out."""
    return log.search(entry, "alone", float("inf")) is not None


def _why(log: SearchLog) -> str:
    reasons = "; ".join(dict.fromkeys(left.why.rstrip(".") for left in log.left_out.values()))
    return (
        f"The baseline, engine={log.baseline.engine}, can't be measured ({reasons}): "
        "name another first engine."
    )


def _notes(log: SearchLog) -> list[str]:
    records = list(log.records.values())
    wanted = [Entry(log.baseline, size) for size in log.options.batches]
    bases = [log.left_out[entry] for entry in wanted if entry in log.left_out]
    notes = [
        f"Batch {left.entry.batch} has no answer, its baseline could not be measured: {left.why}"
        for left in bases
    ]
    if any("quality/wer" not in record.values for record in records):
        notes.append(
            "No WER is known, so none could be kept: random weights, or profiler without quality."
        )
    if log.bench.spent_s > log.options.seconds:
        notes.append(
            "The budget was exceeded: baseline and best are measured to the end even where it is "
            "too short for them."
        )
    return notes
