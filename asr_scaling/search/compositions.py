"""Which compositions a search considers next: what is one or two changes from the best so far."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.search_log import SearchLog

_LEADERS = 3
"""Of all engines, the fastest so far; all that is near them is considered."""
_LIKELY = 0.02
"""An optimisation that is expected to gain so much in log speed is in an engine's first guess."""
_DEAR_S = 5.0
"""One that takes so many seconds more to start is not in it, whatever it gains."""
_MOST_PAIRS = 30
"""Pairs that are considered around an engine's best, the most promising first."""


class Compositions:
    """Of one batch size."""

    def __init__(self, log: SearchLog, batch: int) -> None:
        self.log, self.batch = log, batch
        self._fitting: dict[Candidate, bool] = {}
        self._regrouping = log.regrouping(batch)  # is for the semifinal: a trial has one batch
        bare = {engine: Entry(Candidate(engine), batch) for engine in log.options.engines}
        self.engines = [engine for engine, entry in bare.items() if log.possible(entry)]
        self._single = {engine: self._possible_alone(engine) for engine in self.engines}
        self._guesses = [self._guess(engine) for engine in self.engines]

    def _possible_alone(self, engine: str) -> list[str]:
        alone = {name: Entry(Candidate(engine, (name,)), self.batch) for name in self._names()}
        possible = [name for name, entry in alone.items() if self.log.possible(entry)]
        return [name for name in possible if name not in self._regrouping]

    def _names(self) -> tuple[str, ...]:
        return self.log.options.optimisations

    def _guess(self, engine: str) -> Candidate:
        """What the priors expect to be this engine's best."""
        bare = Entry(Candidate(engine), self.batch)
        known = {name: self.log.priors.option(bare, name) for name in self._single[engine]}
        gains = {name: each.mean for name, each in known.items() if each.extra_s < _DEAR_S}
        guess = bare.candidate
        for name in sorted(gains, key=lambda name: -gains[name]):
            if gains[name] > _LIKELY and self._fits(guess.plus(name)):
                guess = self.log.bench.resolved(guess.plus(name))
        return guess

    def considered(self) -> list[Entry]:
        """The entries that may be measured next, those measured already among them."""
        log = self.log
        measured = log.measured(self.batch)
        ranked = [measured[i] for i in np.argsort(-log.believed(measured).means)]
        best = {entry.candidate.engine: entry.candidate for entry in reversed(ranked)}
        hubs = dict.fromkeys([*self._guesses, *best.values()])
        hubs |= dict.fromkeys(entry.candidate for entry in ranked[:_LEADERS])
        hubs |= dict.fromkeys(map(Candidate, self.engines))
        for leader in ranked[:1]:
            hubs |= dict.fromkeys(self._elsewhere(leader.candidate))
        near = dict.fromkeys(hub for hub in hubs)
        for hub in hubs:
            near |= dict.fromkeys(self._one_change(hub))
        # from the bare engine, too: what its best holds may clash with a better pair
        for hub in dict.fromkeys([*best.values(), *map(Candidate, self.engines)]):
            near |= dict.fromkeys(self._two_more(hub))
        fitting = filter(self._fits, near)
        entries = dict.fromkeys(Entry(log.bench.resolved(c), self.batch) for c in fitting)
        return log.kept(dict.fromkeys([*measured, *entries]))

    def _elsewhere(self, leader: Candidate) -> Iterator[Candidate]:
        """What is fastest so far, on each of the other engines as far as they can do it."""
        for engine in self.engines:
            names = (name for name in leader.optimisations if name in self._single[engine])
            yield Candidate(engine, tuple(names))

    def _one_change(self, hub: Candidate) -> Iterator[Candidate]:
        """With one more, with one less, with one in place of another."""
        for name in hub.optimisations:
            yield hub.without(name)
        for name in self._single.get(hub.engine, ()):
            if name not in hub.optimisations:
                yield hub.plus(name)
                if not self._fits(hub.plus(name)):
                    swapped = (hub.without(old).plus(name) for old in hub.optimisations)
                    yield from filter(self._fits, swapped)

    def _fits(self, candidate: Candidate) -> bool:
        if candidate not in self._fitting:
            entry = Entry(self.log.bench.resolved(candidate), self.batch)
            self._fitting[candidate] = self.log.bench.refusal(entry) is None
        return self._fitting[candidate]

    def _two_more(self, hub: Candidate) -> Iterator[Candidate]:
        """With two more: some help only together."""
        bare = Entry(Candidate(hub.engine), self.batch)
        names = [name for name in self._single.get(hub.engine, ()) if name not in hub.optimisations]
        expected = {name: self.log.priors.option(bare, name) for name in names}
        hopes = {name: found.mean + found.sd for name, found in expected.items()}
        pairs = sorted(combinations(names, 2), key=lambda p: -(hopes[p[0]] + hopes[p[1]]))
        yield from (hub.plus(*pair) for pair in pairs[:_MOST_PAIRS])
