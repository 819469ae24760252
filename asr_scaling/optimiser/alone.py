"""The first rung: each engine and each optimisation alone, at the smallest batch, then the promising ones at larger."""

from __future__ import annotations

from asr_scaling.optimiser.candidates import Candidate, Entry
from asr_scaling.optimiser.notebook import Notebook


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
            book.leave(entry, "not tried", f"it is slower at batch {earlier} ({found.factor:.2f} ×).")
        elif found and not book.sound(before):
            book.leave(entry, "not tried", f"its WER is too high at batch {earlier}.")
        else:
            book.search(entry, "alone", until_s)
            book.sound(entry)


def singles(book: Notebook) -> list[Candidate]:
    """The other engines as they are, and the baseline's engine with one optimisation each."""
    first, *engines = book.options.engines
    return [*map(Candidate, engines), *(Candidate(first, (name,)) for name in book.options.optimisations)]


def _by_promise(book: Notebook, candidates: list[Candidate], earlier: int | None) -> list[Candidate]:
    """Those that were not possible at the earlier batch first, then the fastest there."""
    if earlier is None:
        return candidates
    known = {each: book.speed(Entry(each, earlier)) for each in candidates}
    return sorted(candidates, key=lambda each: -(known[each] or float("inf")))
