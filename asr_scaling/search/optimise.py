"""The whole search in a time budget: baselines, the search, then semifinal and final a batch."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.errors import EngineError
from asr_scaling.search.bench import Bench
from asr_scaling.search.candidates import Candidate, Entry, Trial
from asr_scaling.search.final import final
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Answer, Outcome
from asr_scaling.search.priors import Priors
from asr_scaling.search.race import race
from asr_scaling.search.search_log import SearchLog
from asr_scaling.search.semifinal import semifinal
from asr_scaling.search.time_plan import needs_s, reserve_s, speech

_SEMIFINAL = 0.4
"""Share of a batch's time that its semifinal may take."""


def optimise(options: Options, bench: Bench, priors: Priors | None = None) -> Outcome:
    """What is fastest at each batch, found within the budget.

    Given the same records and times of ``bench`` it makes the same choices, so that a search that
    was cut can go on. Raises EngineError when not even the baseline can be measured.
    """
    log = SearchLog(bench, options, priors or Priors())
    # baselines are measured whatever the time; a batch whose baseline fails is left out
    sizes = [size for size in sorted(options.batches) if _measured(log, size)]
    if not sizes:
        raise EngineError(_why(log))
    race(log, sizes, lambda: options.seconds - reserve_s(log, sizes))
    answers = _finals(log, sizes)
    return Outcome(
        minutes=options.minutes,
        spent_s=bench.spent_s,
        max_wer_loss=options.max_wer_loss,
        answers=answers,
        tried=tuple(log.tried()),
        left=tuple(log.left_out.values()),
        notes=tuple(_notes(log)),
    )


def _measured(log: SearchLog, batch: int) -> bool:
    return not log.measure(Trial(log.base(batch), "search")).problem


def _finals(log: SearchLog, sizes: Sequence[int]) -> tuple[Answer, ...]:
    """Semifinal and final at each batch size, in shares of the time by what they need."""
    plain = log.base(sizes[0])
    log.measure(Trial(plain, "final", 0, speech(log)))
    answers = []
    for number, size in enumerate(sizes):
        needs = [needs_s(log, later) for later in sizes[number:]]
        left_s = log.options.seconds - log.bench.spent_s
        end_s = log.bench.spent_s + max(0.0, left_s) * needs[0] / sum(needs)
        semi_s = log.bench.spent_s + _SEMIFINAL * (end_s - log.bench.spent_s)
        answers.append(final(log, size, _ranked(log, size, semi_s), end_s))
    return tuple(answers)


def _ranked(log: SearchLog, size: int, until_s: float) -> list[Entry]:
    """What the semifinal ranks; where it shows one to err too much, the search goes on before."""
    while True:
        known = len(log.left_out)
        ranked = semifinal(log, size, until_s)
        if len(log.left_out) == known or log.bench.spent_s >= until_s:
            return ranked
        trials = len(log.trials)
        _go_on(log, size, (until_s + log.bench.spent_s) / 2)
        if len(log.trials) == trials:
            return ranked


def _go_on(log: SearchLog, size: int, until_s: float) -> None:
    race(log, [size], lambda: until_s)


def _why(log: SearchLog) -> str:
    reasons = "; ".join(dict.fromkeys(left.why.rstrip(".") for left in log.left_out.values()))
    baseline = f"The baseline, engine={log.baseline.engine}, can't be measured ({reasons})"
    return f"{baseline}: name another first engine."


def _notes(log: SearchLog) -> list[str]:
    bases = [Entry(Candidate(log.options.engines[0]), size) for size in log.options.batches]
    notes = [
        f"Batch {base.batch} has no answer, its baseline could not be measured: "
        f"{log.left_out[base].why}"
        for base in bases
        if base in log.left_out
    ]
    if not any(log.words.values()):
        notes.append(
            "No WER is known, so none could be kept: random weights, or profiler without quality."
        )
    if log.bench.spent_s > log.options.seconds:
        notes.append(
            "The budget was exceeded: baseline and best are measured to the end even where it is "
            "too short for them."
        )
    return notes
