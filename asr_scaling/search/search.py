"""The whole search: baselines, each change alone, winners together, the final; within a time budget."""

from __future__ import annotations

from asr_scaling.errors import EngineError
from asr_scaling.search.candidates import Entry
from asr_scaling.search.combination import smaller, together
from asr_scaling.search.final import final, reserve
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Outcome
from asr_scaling.search.screening import alone, carried
from asr_scaling.search.search_log import NO_TIME, Bench, Notebook

_MOST_RESERVED = 0.5
"""Share of the budget that the finals may keep from the search."""
_ALONE = 0.6
"""Share of a batch's time that changes alone may take."""


def optimise(options: Options, bench: Bench) -> Outcome:
    """What is fastest at each batch, found within the budget. EngineError when not even the baseline can be measured.

    Given the same answers and times of ``bench`` it takes the same way, so that a search that was cut goes on.
    """
    book = Notebook(bench, options)
    sizes = [size for size in options.batches if _baseline(book, Entry(book.baseline, size))]
    if not sizes:
        raise EngineError(_why(book))
    kept = {size: reserve(book, size) for size in sizes}
    cut = min(1.0, _MOST_RESERVED * options.seconds / sum(kept.values()))
    ends = options.seconds - cut * sum(kept.values())
    best = _search(book, sizes, ends)
    kept = {size: cut * reserve(book, size, best[size]) for size in sizes}
    if options.seconds - sum(kept.values()) > ends and any(
        left.why == NO_TIME for left in book.left.values()
    ):
        best = _search(book, sizes, options.seconds - sum(kept.values()))
    answers = []
    for number, size in enumerate(sizes):
        later = sum(kept[each] for each in sizes[number + 1 :])
        answers.append(final(book, best[size], size, options.seconds - later))
    return Outcome(
        options.minutes, bench.spent_s, options.max_wer_loss, tuple(answers), tuple(book.tried.values()),
        tuple(book.left.values()), tuple(_notes(book)),
    )  # fmt: skip


def _search(book: Notebook, sizes: list[int], ends: float) -> dict[int, Entry]:
    """Batch → the best found for it until ``ends`` of the budget; what was measured before is not measured again."""
    best = {}
    for number, size in enumerate(sizes):
        begun = book.bench.spent_s
        time_s = max(0.0, ends - begun) / (len(sizes) - number)
        earlier = sizes[number - 1] if number else None
        if earlier is not None:
            carried(book, size, earlier, begun + time_s)
        alone(book, size, earlier, begun + _ALONE * time_s)
        best[size] = smaller(book, together(book, size, begun + time_s), min(sizes), begun + time_s)
    return best


def _baseline(book: Notebook, entry: Entry) -> bool:
    """Measured whatever the time; a batch whose baseline fails is left out."""
    return book.search(entry, "alone", float("inf")) is not None


def _why(book: Notebook) -> str:
    reasons = "; ".join(dict.fromkeys(left.why.rstrip(".") for left in book.left.values()))
    return f"The baseline, engine={book.baseline.engine}, can't be measured ({reasons}): name another first engine."


def _notes(book: Notebook) -> list[str]:
    records = list(book.records.values())
    wanted = [Entry(book.baseline, size) for size in book.options.batches]
    bases = [book.left[entry] for entry in wanted if entry in book.left]
    notes = [
        f"Batch {left.entry.batch} has no answer, its baseline could not be measured: {left.why}"
        for left in bases
    ]
    if any("quality/wer" not in record.values for record in records):
        notes.append(
            "No WER is known, so none could be kept: random weights, or profiler without quality."
        )
    if book.bench.spent_s > book.options.seconds:
        notes.append(
            "The budget was exceeded: baseline and best are measured to the end even where it is too short for them."
        )
    return notes
