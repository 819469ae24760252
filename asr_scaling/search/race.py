"""The search: what is measured next is what promises most for the time that it takes.

The promise of a trial is its knowledge gradient (Frazier, Powell & Dayanik 2008): how much faster
the best is expected to be once the trial is known. It is weighed by the chance that the WER stays
within what is allowed, and divided by the seconds that the trial is expected to take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from asr_scaling.search.candidates import Entry, Trial
from asr_scaling.search.compositions import Compositions
from asr_scaling.search.search_log import SearchLog
from asr_scaling.search.speed_model import expected_gain

WORTH = 1e-5
"""A search ends when no trial is expected to bring so much in log speed: 0.001 %."""
NO_TIME = "no time was left for it: raise optimiser.minutes."
_TRIAL_NOISE = 0.035
"""Standard deviation of what one trial is off, in log speed."""
_NAMED = 12
"""Promising compositions without a trial that are named at the end."""


def race(log: SearchLog, batches: Sequence[int], until_s: Callable[[], float]) -> None:
    """Measure trials at ``batches`` until the time is up or nothing is worth a trial.

    The batch size that has had less time comes first.
    until_s: until which second of the budget, as it is planned by now.
    """
    spent_s = dict.fromkeys(batches, 0.0)
    places = {batch: Compositions(log, batch) for batch in batches}
    open_batches = list(batches)
    while open_batches:
        batch = min(open_batches, key=lambda size: spent_s[size])
        entry = _next(log, places[batch], until_s() - log.bench.spent_s)
        if entry is None:
            open_batches.remove(batch)
            continue
        before_s = log.bench.spent_s
        number = len(log.of(entry, "search"))
        log.measure(Trial(entry, "search", number))
        spent_s[batch] += log.bench.spent_s - before_s


def _next(log: SearchLog, place: Compositions, left_s: float) -> Entry | None:
    """The most promising entry for its cost that time is left for; None where none is worth it."""
    entries, worth = place.considered(), WORTH
    if new := _of_new_engines(log, entries):
        entries, worth = new, 0.0
    promise = _promise(log, entries)
    costs = log.costs(entries, "search")
    order = np.argsort(-promise / costs)
    too_dear = []
    for index in order:
        entry: Entry = entries[index]
        if promise[index] < worth:
            continue
        if costs[index] > left_s:
            too_dear.append(entry)
        elif log.possible(entry):
            return entry
    for entry in too_dear[:_NAMED]:
        if not log.of(entry, "search") and log.possible(entry):
            log.leave_out(entry, "not tried", NO_TIME)
    return None


def _of_new_engines(log: SearchLog, entries: Sequence[Entry]) -> list[Entry]:
    """Those whose engines have no trial at this batch yet: each engine has one before the rest.

    So has the baseline's with optimisations.
    Where that failed, the bare engine comes next: should it fail too, so does all that has it.
    """
    batch = entries[0].batch
    base = log.base(batch)
    known = {entry.candidate.engine for entry in log.measured(batch) if entry != base}
    failed = {
        entry.candidate.engine
        for entry, left in log.left_out.items()
        if left.kind == "failed" and entry.batch == batch
    }
    return [
        entry
        for entry in entries
        if entry != base
        and (engine := entry.candidate.engine) not in known
        and (engine not in failed or not entry.candidate.optimisations)
    ]


def _promise(log: SearchLog, entries: Sequence[Entry]) -> Any:
    """The knowledge gradient of a trial of each entry, in log speed, by the chance of its WER."""
    beliefs = log.believed(entries)
    trials = np.array([len(log.of(entry, "search")) for entry in entries])
    ranked = np.argsort(-np.where(trials > 0, beliefs.means, -np.inf))
    best, second = ranked[0], ranked[min(1, len(ranked) - 1)]
    ahead, spread = beliefs.ahead(int(best))
    if trials[second]:  # the best itself is judged against the next
        gap, wide = beliefs.ahead(int(second))
        ahead[best], spread[best] = gap[best], wide[best]
    known = _TRIAL_NOISE / np.sqrt(np.maximum(trials, 1e-9))
    spread = np.minimum(spread, known)
    moved = spread**2 / np.sqrt(spread**2 + _TRIAL_NOISE**2)
    gain = np.where(trials > 0, 0.0, np.maximum(ahead, 0.0))
    gain += expected_gain(-np.abs(ahead), np.maximum(moved, 1e-9))
    return gain * log.chances_within(entries)
