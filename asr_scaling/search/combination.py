"""Winners together: per engine, what helps is added in the order of its gain; the field of engines is halved between.

Successive halving (Jamieson & Talwalkar 2016, Non-stochastic best arm identification) over engines, with forward
selection inside each: an exhaustive grid of n optimisations would take 2ⁿ measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.search.candidates import Candidate, Entry, Stage
from asr_scaling.search.search_log import NO_TIME, Notebook

_AS_FAST = 0.99
WIDTH = 2
"""Optimisations that every engine of the field tries before it is halved."""
_SLOW = "left behind, as {other} was {ratio:.2f} × as fast by then; not tried with it: {ahead}."


@dataclass
class Lane:
    """An engine on its way: ``best`` so far, and the optimisations it has not tried, the most promising first.

    ``credit``: tries that it does not make in its next turn, because it began with as many optimisations.
    """

    best: Entry
    ahead: list[str] = field(default_factory=list)
    credit: int = 0


def together(book: Notebook, batch: int, until_s: float) -> Entry:
    """The fastest sound combination found at ``batch``; the baseline where nothing is faster."""
    base = Entry(book.baseline, batch)
    starts = [base, *(Entry(Candidate(engine), batch) for engine in book.options.engines[1:])]
    lanes = [_lane(book, each) for each in starts if each == base or book.sound(each)]
    while any(lane.ahead for lane in lanes):
        for lane in lanes:
            _advance(book, lane, until_s)
        lanes = _half(book, lanes)
    best = _lightened(book, lanes[0].best, until_s)
    found = book.gain(best)
    return best if found and found.promising else base


def _lane(book: Notebook, start: Entry) -> Lane:
    """From the fastest that is measured of this engine, the simpler of two that are as fast, or else bare."""
    mine = [
        each
        for each in book.records
        if (each.candidate.engine, each.batch) == (start.candidate.engine, start.batch)
    ]
    better = [
        each
        for each in mine
        if (found := book.gain(each, start)) and found.promising and book.sound(each)
    ]
    best = max(
        better,
        key=lambda e: (round(book.speed(e), 6), -len(e.candidate.optimisations)),
        default=start,
    )
    ahead = [name for name in _order(book, start) if name not in best.candidate.optimisations]
    return Lane(best, ahead, min(WIDTH, len(best.candidate.optimisations)))


def smaller(book: Notebook, best: Entry, least: int, until_s: float) -> Entry:
    """``best`` at half its batch, and again, as long as that is faster; what is as fast stays with the larger batch."""
    while best.batch // 2 > least:
        half = Entry(best.candidate, best.batch // 2)
        if book.search(half, "together", until_s, like=best) is None:
            return best
        found = book.gain(half, best)
        if (
            found is None
            or not found.faster
            or found.too_wrong(book.options.max_wer_loss, final=False)
        ):
            return best
        best = half
    return best


def _order(book: Notebook, start: Entry) -> list[str]:
    """What may help this engine: what won alone, by its gain, then what could not be had alone.

    On other engines than the baseline's the losers come last: what is slow in one may be fast in another.
    """
    winners, unknown, losers = list[tuple[float, str]](), list[str](), list[str]()
    for name in book.options.ordered:
        found = _known(book, name, start.batch)
        if found is None:
            unknown.append(name)
        elif found[1]:
            winners.append((-found[0], name))
        else:
            losers.append(name)
    rest = losers if start.candidate.engine != book.baseline.engine else []
    return [*(name for _, name in sorted(winners)), *unknown, *rest]


def _known(book: Notebook, name: str, batch: int) -> tuple[float, bool] | None:
    """Gain alone and whether it won, at this batch or else at the nearest smaller one that it was measured at."""
    single = Candidate(book.baseline.engine, (name,))
    for size in sorted((size for size in book.options.batches if size <= batch), reverse=True):
        entry = Entry(single, size)
        if found := book.gain(entry):
            return found.factor, found.promising and book.sound(entry)
    return None


def _advance(book: Notebook, lane: Lane, until_s: float) -> None:
    """Try the next optimisations; what makes the lane's best faster, and not too wrong, stays."""
    tries, lane.credit = lane.credit, 0
    while lane.ahead and tries < WIDTH:
        entry = _with(book, lane.best, lane.ahead.pop(0))
        if entry is None:
            continue
        tries += (
            1  # measured before or not: engines are held against each other after as many tries
        )
        stage: Stage = "alone" if lane.best.candidate == book.baseline else "together"
        if book.search(entry, stage, until_s, like=lane.best) is None:
            continue
        found = book.gain(entry, lane.best)
        if found and found.promising and book.sound(entry):
            lane.best = entry


def _with(book: Notebook, best: Entry, name: str) -> Entry | None:
    """``best`` with one more, behind the others or, where that is refused, before them; None where neither may be."""
    now = best.candidate
    behind, before = (
        Entry(Candidate(now.engine, n), best.batch) for n in _orders(now.optimisations, name)
    )
    if book.possible(behind):
        return behind
    alone = Entry(Candidate(now.engine, (name,)), best.batch)
    return (
        before if book.bench.refusal(alone) is None and book.bench.refusal(before) is None else None
    )


def _orders(names: tuple[str, ...], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (*names, name), (name, *names)


def _half(book: Notebook, lanes: list[Lane]) -> list[Lane]:
    """The faster half, and who is as fast as its last; the optimisations that the others had ahead are noted."""
    ranked = sorted(lanes, key=lambda lane: book.speed(lane.best) or 1.0, reverse=True)
    last = book.speed(ranked[(len(ranked) - 1) // 2].best) or 1.0
    kept = [lane for lane in ranked if (book.speed(lane.best) or 1.0) >= _AS_FAST * last]
    dropped, lead = ranked[len(kept) :], ranked[0].best
    for lane in dropped:
        ratio = (book.speed(lead) or 1.0) / (book.speed(lane.best) or 1.0)
        if lane.ahead:
            why = _SLOW.format(other=lead.candidate.label, ratio=ratio, ahead=", ".join(lane.ahead))
            book.leave(lane.best, "not tried", why)
    return kept


def _lightened(book: Notebook, best: Entry, until_s: float) -> Entry:
    """``best`` without those of three or more optimisations that do not help beside the others."""
    for name in best.candidate.optimisations[:-1] if len(best.candidate.optimisations) > 2 else ():
        less = Entry(best.candidate.without(name), best.batch)
        if not book.possible(less) or book.search(less, "together", until_s, like=best) is None:
            if less in book.left and book.left[less].why == NO_TIME:
                break
            continue
        found = book.gain(best, less)
        if found and not found.faster and book.sound(less) and book.speed(less) >= book.speed(best):
            best = less
    return best
