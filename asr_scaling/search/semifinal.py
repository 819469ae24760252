"""The semifinal: the fastest of the search, in fresh processes, until one is ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_scaling.search.candidates import Entry, Trial
from asr_scaling.search.options import SEMIFINAL_READS
from asr_scaling.search.search_log import SearchLog
from asr_scaling.search.speed_model import expected_gain
from asr_scaling.search.time_plan import IN_FINAL

_RISK = 0.02
"""One whose chance of being the fastest is less drops out."""
_SETTLED = 0.003
"""The semifinal ends when another round is expected to find so much less than this log speed."""
_ROUNDS = 4
"""Rounds at most."""
_REGROUPED = 2
"""So many of the fastest come into the semifinal with their utterances regrouped, too."""
_CHANCE = 0.1
"""One whose WER is within what is allowed with less chance does not come into the semifinal."""
_SAFER = 0.05
"""By so much must the chance of a slower finalist be higher for it to come into the final."""
_DEAR, _WORTH = 3.0, 0.05
"""What takes so many times as long as the cheapest finalist must be ahead by so much log speed, and
is measured last."""


def finalists(log: SearchLog, batch: int) -> list[Entry]:
    """The fastest by the search, and the fastest of those that read no word worse."""
    base = log.base(batch)
    entries = [entry for entry in log.measured(batch) if entry != base]
    if not entries:
        return []
    means = log.believed([base, *entries]).means
    order = [i for i in np.argsort(-means[1:]) if means[i + 1] > means[0]]
    costs = log.costs(entries, "semifinal")
    chances = log.chances_within(entries)
    good = [i for i in order if chances[i] >= _CHANCE]
    cheap = [i for i in good if costs[i] <= _DEAR * costs[order].min()]
    ahead = max((means[i + 1] for i in cheap), default=-np.inf) + _WORTH
    dear = [i for i in good if i not in cheap and means[i + 1] > ahead][:1]
    few = log.options.finalists - len(dear)
    return [*_insured(log, [entries[i] for i in cheap])[:few], *(entries[i] for i in dear)]


def _insured(log: SearchLog, ranked: Sequence[Entry]) -> list[Entry]:
    """The fastest, and two that read no word worse among them where there are any."""
    most = log.options.finalists
    clean = [entry for entry in ranked if _clean(log, entry)]
    insured = dict.fromkeys([*ranked[: most - 1], *clean[:2]])
    return [*insured, *(entry for entry in ranked if entry not in insured)][:most]


def _regrouped(log: SearchLog, fastest: Sequence[Entry]) -> list[Entry]:
    """They with what regroups their utterances, which the search's single batches can't show."""
    found = []
    for entry in fastest:
        candidate = entry.candidate.plus(*log.regrouping(entry.batch))
        other = Entry(log.bench.resolved(candidate), entry.batch)
        if other != entry and log.possible(other):
            found.append(other)
    return log.kept(found)


def _clean(log: SearchLog, entry: Entry) -> bool:
    loss = log.loss(entry)
    return loss is None or loss.change <= 0


def semifinal(log: SearchLog, batch: int, until_s: float) -> list[Entry]:
    """The finalists, the fastest first, after as many rounds as decide between them.

    May go on from a semifinal before, with others.
    """
    alive = finalists(log, batch)
    alive += _regrouped(log, alive[:_REGROUPED])
    everyone = list(alive)
    for turn in range(_ROUNDS):
        for entry in alive[:: -1 if turn % 2 else 1]:
            number = len(log.of(entry, "semifinal"))
            if number > turn:
                continue
            read = SEMIFINAL_READS if number == 0 else None
            cost_s = log.cost(entry, "semifinal", read or 0)
            if log.bench.spent_s + cost_s <= until_s and not log.excluded(entry):
                log.measure(Trial(entry, "semifinal", number, read))
        alive = _left(log, [entry for entry in alive if not log.excluded(entry)])
        if len(alive) < 2 or _settled(log, alive):
            break
    return log.fastest_first(log.kept(everyone))


def _left(log: SearchLog, alive: Sequence[Entry]) -> list[Entry]:
    """Those that may still be the fastest; of each that may be safer than all faster ones, too."""
    from scipy.special import ndtr

    if not alive:
        return []
    beliefs = log.believed(alive)
    best = int(np.argmax(beliefs.means))
    ahead, spread = beliefs.ahead(best)
    chances = ndtr(ahead / spread)
    chosen = chosen_for_final(log, [alive[index] for index in np.argsort(-beliefs.means)])
    pairs = zip(alive, chances, strict=True)
    return [entry for entry, chance in pairs if chance >= _RISK or entry in chosen]


def _settled(log: SearchLog, alive: Sequence[Entry]) -> bool:
    """Whether the best is expected to be within ``_SETTLED`` of the fastest of them."""
    beliefs = log.believed(alive)
    best = int(np.argmax(beliefs.means))
    missed = expected_gain(*beliefs.ahead(best))
    return bool(np.delete(missed, best).max() < _SETTLED)


def chosen_for_final(log: SearchLog, ranked: Sequence[Entry]) -> list[Entry]:
    """The fastest, and behind it those that are surer to keep the WER than all faster ones."""
    chosen: list[Entry] = []
    chances = log.chances_within(ranked)
    least, surest = min(_CHANCE, max(chances, default=0.0)), -1.0
    for entry, chance in zip(ranked, chances, strict=True):
        if chance < least:
            continue
        if chance > surest + _SAFER or not chosen:
            chosen.append(entry)
            surest = max(surest, chance)
    return chosen[:IN_FINAL]
