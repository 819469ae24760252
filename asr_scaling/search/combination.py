"""The second phase: per engine, what helps is added by its gain; slow engines are dropped.

Successive halving (Jamieson & Talwalkar 2016, Non-stochastic best arm identification) over engines,
with forward selection inside each: a grid of n optimisations would take 2ⁿ measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.search.candidates import Candidate, Entry, Stage
from asr_scaling.search.search_log import NO_TIME, SearchLog

_AS_FAST = 0.99
"""An engine that reaches this share of another's speed counts as equally fast."""
WIDTH = 2
"""Optimisations that every engine tries before half of the engines are dropped."""
_SLOW = "left behind, as {other} was {ratio:.2f} × as fast by then; not tried with it: {untried}."


@dataclass
class EngineSearch:
    """The search within one engine."""

    best: Entry
    """The best so far."""
    untried: list[str] = field(default_factory=list)
    """Optimisations not tried yet, the most promising first."""
    credit: int = 0
    """Tries counted as already made: one for each optimisation it starts with."""


def combine(log: SearchLog, batch: int, until_s: float) -> Entry:
    """The fastest sound combination found at ``batch``; the baseline where nothing is faster."""
    base = Entry(log.baseline, batch)
    starts = [base, *(Entry(Candidate(engine), batch) for engine in log.options.engines[1:])]
    engines = [_begin(log, start) for start in starts if start == base or log.sound(start)]
    while any(engine.untried for engine in engines):
        for engine in engines:
            _try_next(log, engine, until_s)
        engines = _halve(log, engines)
    best = _without_useless(log, engines[0].best, until_s)
    gain = log.gain(best)
    return best if gain and gain.promising else base


def _begin(log: SearchLog, start: Entry) -> EngineSearch:
    """From the engine's fastest combination so far, the simpler of two as fast, or else bare."""
    engine = start.candidate.engine
    measured = [e for e in log.records if (e.candidate.engine, e.batch) == (engine, start.batch)]
    better = [entry for entry in measured if _better(log, entry, start)]

    def rank(entry: Entry) -> tuple[float, int]:
        return round(log.speed(entry), 6), -len(entry.candidate.optimisations)

    best = max(better, key=rank, default=start)
    used = best.candidate.optimisations
    untried = [name for name in _by_promise(log, start) if name not in used]
    return EngineSearch(best, untried, min(WIDTH, len(used)))


def _better(log: SearchLog, entry: Entry, over: Entry) -> bool:
    gain = log.gain(entry, over)
    return gain is not None and gain.promising and log.sound(entry)


def shrink_batch(log: SearchLog, best: Entry, least: int, until_s: float) -> Entry:
    """``best`` at half its batch, and again, as long as that is faster.

    What is only as fast keeps the larger batch.
    """
    while best.batch // 2 > least:
        half = Entry(best.candidate, best.batch // 2)
        if log.search(half, "together", until_s, like=best) is None:
            return best
        gain = log.gain(half, best)
        if not gain or not gain.promising or gain.too_wrong(log.options.max_wer_loss, final=False):
            return best
        best = half
    return best


def _by_promise(log: SearchLog, start: Entry) -> list[str]:
    """What may help this engine: winners by themselves by gain, then what was impossible there.

    On other engines than the baseline's the losers come last: what is slow in one may be fast in
    another.
    """
    winners: list[tuple[float, str]] = []
    unknown: list[str] = []
    losers: list[str] = []
    for name in log.options.ordered:
        single = _single_gain(log, name, start.batch)
        if single is None:
            unknown.append(name)
        elif single[1]:
            winners.append((-single[0], name))
        else:
            losers.append(name)
    rest = losers if start.candidate.engine != log.baseline.engine else []
    return [*(name for _, name in sorted(winners)), *unknown, *rest]


def _single_gain(log: SearchLog, name: str, batch: int) -> tuple[float, bool] | None:
    """The gain of one optimisation by itself, and whether it won.

    At this batch, or else at the nearest smaller one that it was measured at.
    """
    single = Candidate(log.baseline.engine, (name,))
    for size in sorted((size for size in log.options.batches if size <= batch), reverse=True):
        entry = Entry(single, size)
        if gain := log.gain(entry):
            return gain.factor, gain.promising and log.sound(entry)
    return None


def _try_next(log: SearchLog, engine: EngineSearch, until_s: float) -> None:
    """Try the next optimisations; one that makes the best faster, and not too wrong, stays."""
    tries = engine.credit
    engine.credit = 0
    while engine.untried and tries < WIDTH:
        entry = _with(log, engine.best, engine.untried.pop(0))
        if entry is None:
            continue
        tries += 1  # measured before or not: engines are compared after as many tries
        stage: Stage = "alone" if engine.best.candidate == log.baseline else "together"
        if log.search(entry, stage, until_s, like=engine.best) is None:
            continue
        if _better(log, entry, engine.best):
            engine.best = entry


def _with(log: SearchLog, best: Entry, name: str) -> Entry | None:
    """``best`` with one more behind or else before the others; None where neither is possible."""
    now = best.candidate
    behind = Entry(Candidate(now.engine, (*now.optimisations, name)), best.batch)
    if log.possible(behind):
        return behind
    before = Entry(Candidate(now.engine, (name, *now.optimisations)), best.batch)
    single = Entry(Candidate(now.engine, (name,)), best.batch)
    refused = log.bench.refusal(single) is not None or log.bench.refusal(before) is not None
    return None if refused else before


def _halve(log: SearchLog, engines: list[EngineSearch]) -> list[EngineSearch]:
    """The faster half, and what is as fast as its last; what the others had not tried is logged."""

    def speed(engine: EngineSearch) -> float:
        return log.speed(engine.best) or 1.0

    ranked = sorted(engines, key=speed, reverse=True)
    last = speed(ranked[(len(ranked) - 1) // 2])
    kept = [engine for engine in ranked if speed(engine) >= _AS_FAST * last]
    lead = ranked[0]
    for engine in ranked[len(kept) :]:
        if engine.untried:
            why = _SLOW.format(
                other=lead.best.candidate.label,
                ratio=speed(lead) / speed(engine),
                untried=", ".join(engine.untried),
            )
            log.leave_out(engine.best, "not tried", why)
    return kept


def _without_useless(log: SearchLog, best: Entry, until_s: float) -> Entry:
    """``best`` without those of three or more optimisations that do not help beside the others."""
    names = best.candidate.optimisations
    for name in names[:-1] if len(names) > 2 else ():
        less = Entry(best.candidate.without(name), best.batch)
        if not log.possible(less) or log.search(less, "together", until_s, like=best) is None:
            if less in log.left_out and log.left_out[less].why == NO_TIME:
                break
            continue
        gain = log.gain(best, less)
        useless = gain and not gain.faster and log.speed(less) >= log.speed(best)
        if useless and log.sound(less):
            best = less
    return best
