"""The first rung: each engine and each optimisation alone, at the smallest batch, then the promising ones at larger.

A larger batch begins with the best combinations of the smaller: what is fast at one is rarely slow at the next.
"""

from __future__ import annotations

from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.search_log import Notebook

CARRIED = 3
"""Combinations that a larger batch begins with, of different engines."""


def carried(book: Notebook, batch: int, earlier: int, until_s: float) -> None:
    """Measure at ``batch`` the best that each engine had at batch ``earlier``, the fastest engines first."""
    best = dict[str, Entry]()
    for entry in book.ranked(
        each for each in book.records if each.batch == earlier and book.speed(each) > 1
    ):
        best.setdefault(entry.candidate.engine, entry)
    for entry in list(best.values())[:CARRIED]:
        book.search(Entry(entry.candidate, batch), "together", until_s)


def alone(book: Notebook, batch: int, earlier: int | None, until_s: float) -> None:
    """Measure every candidate with one change at ``batch``, the most promising at batch ``earlier`` first.

    What was significantly slower or too wrong there is not measured again: this is where the field is first reduced.
    """
    for candidate in _by_promise(book, singles(book), earlier):
        entry, before = Entry(candidate, batch), Entry(candidate, earlier or 0)
        found = book.gain(before)
        if not book.possible(entry):
            continue
        if found and found.slower:
            book.leave(
                entry, "not tried", f"it is slower at batch {earlier} ({found.factor:.2f} ×)."
            )
        elif found and not book.sound(before):
            book.leave(entry, "not tried", f"its WER is too high at batch {earlier}.")
        else:
            book.search(entry, "alone", until_s)
            book.sound(entry)


def singles(book: Notebook) -> list[Candidate]:
    """The other engines as they are, and the baseline's engine with one optimisation each."""
    first, *engines = book.options.engines
    return [*map(Candidate, engines), *(Candidate(first, (name,)) for name in book.options.ordered)]


def _by_promise(
    book: Notebook, candidates: list[Candidate], earlier: int | None
) -> list[Candidate]:
    """What promised something at the earlier batch, the fastest first; then what was not possible there; the rest."""
    if earlier is None:
        return candidates

    def rank(each: Candidate) -> tuple[int, float]:
        found = book.gain(Entry(each, earlier))
        return (1, 0.0) if found is None else (0 if found.promising else 2, -found.factor)

    return sorted(candidates, key=rank)
