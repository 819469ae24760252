"""The first phase: each engine and each optimisation by itself, at one batch size after another.

A larger batch begins with the best combinations of the smaller: what is fast at one is rarely slow
at the next.
"""

from __future__ import annotations

from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.search_log import SearchLog

CARRIED = 3
"""Combinations that a larger batch begins with, each of another engine."""


def carry_over(log: SearchLog, batch: int, earlier: int, until_s: float) -> None:
    """Measure at ``batch`` the best that each engine had at batch ``earlier``, fastest first."""
    faster = [e for e in log.records if e.batch == earlier and log.speed(e) > 1]
    best: dict[str, Entry] = {}
    for entry in log.ranked(faster):
        best.setdefault(entry.candidate.engine, entry)
    for entry in list(best.values())[:CARRIED]:
        log.search(Entry(entry.candidate, batch), "together", until_s)


def screen(log: SearchLog, batch: int, earlier: int | None, until_s: float) -> None:
    """Measure every candidate with one change, the most promising at batch ``earlier`` first.

    What was significantly slower or too wrong there is not measured again.
    """
    for candidate in _by_promise(log, single_changes(log), earlier):
        entry = Entry(candidate, batch)
        before = Entry(candidate, earlier or 0)
        gain = log.gain(before)
        if not log.possible(entry):
            continue
        if gain and gain.slower:
            slower = f"it is slower at batch {earlier} ({gain.factor:.2f} ×)."
            log.leave_out(entry, "not tried", slower)
        elif gain and not log.sound(before):
            log.leave_out(entry, "not tried", f"its WER is too high at batch {earlier}.")
        else:
            log.search(entry, "alone", until_s)
            log.sound(entry)


def single_changes(log: SearchLog) -> list[Candidate]:
    """The other engines as they are, and the baseline's engine with one optimisation each."""
    first, *engines = log.options.engines
    optimised = [Candidate(first, (name,)) for name in log.options.ordered]
    return [*map(Candidate, engines), *optimised]


def _by_promise(
    log: SearchLog, candidates: list[Candidate], earlier: int | None
) -> list[Candidate]:
    """What promised a gain at batch ``earlier``, what was impossible there, then the rest."""
    if earlier is None:
        return candidates

    def rank(candidate: Candidate) -> tuple[int, float]:
        gain = log.gain(Entry(candidate, earlier))
        if gain is None:
            return 1, 0.0
        return (0 if gain.promising else 2), -gain.factor

    return sorted(candidates, key=rank)
