"""Which way to serve holds most: ceilings first, then the highest rates of those that can win.

Where clients always wait for their answers, a way serves as many requests a second as it ever can.
No way holds more than that ceiling under a bound on latency, so that a way whose ceiling is below
what another is shown to hold needs no search of its own (branch and bound: Land and Doig 1960).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from asr_scaling.analysis.format import plain
from asr_scaling.search.serving.outcome import Left, Outcome, Seen, Trial
from asr_scaling.search.serving.ways import Options, Way

_CEILINGS = 0.5
"""Share of the time within which ceilings are measured; at least one is."""
_ABOVE = 1.1
"""A ceiling counts as so many times what was measured, as a machine is not equally fast for
minutes."""
_WAITING = 0.8
"""A way with a wait is searched as if its ceiling were so much of it: it serves no more in a call
when requests always wait, and adds to the latency of all when they don't."""
_FIRST, _LAST = 0.8, 1.15
"""Of the ceiling, the rate of the first load of a search, and that above which none is tried."""
_WORTH_S = 45.0
"""No search begins with less time left."""


class Bench(Protocol):
    """What measures for the search."""

    @property
    def spent_s(self) -> float:
        """Wall seconds so far."""
        ...

    def ceiling(self, way: Way) -> Seen:
        """Requests a second that it serves where clients always wait."""
        ...

    def highest(self, way: Way, between: tuple[float, float], minutes: float) -> Seen:
        """Requests a second that it holds under the bound.

        between: the rate that is tried first, and that above which none is.
        """
        ...


def most_requests(options: Options, bench: Bench) -> Outcome:
    """Measure ceilings, then search in the order of ceilings until no other way can hold more."""
    return _Search(options, bench).run()


@dataclass
class _Search:
    options: Options
    bench: Bench
    ceilings: dict[Way, Seen] = field(default_factory=dict)
    highest: dict[Way, Seen] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)

    def run(self) -> Outcome:
        """Both parts."""
        self._measure_ceilings()
        while way := self._next():
            most = self._most(way)
            seen = self.bench.highest(way, (_FIRST * most, _LAST * most), self._minutes())
            self.highest[way] = seen
            if seen.per_s is None:
                self.left.append(Left(way, seen.problem))
        self.left += [Left(way, self._why(way)) for way in self._open()]
        return Outcome(
            minutes=self.options.minutes,
            spent_s=self.bench.spent_s,
            ceilings=_trials(self.ceilings),
            highest=_trials(self.highest),
            left=tuple(self.left),
        )

    def _measure_ceilings(self) -> None:
        until_s = _CEILINGS * self.options.seconds
        for way in self.options.ways:
            if way.max_wait_s:
                continue
            if self.ceilings and self.bench.spent_s > until_s:
                self.left.append(Left(way, f"no time was left to try it ({until_s / 60:.2g} min)"))
                continue
            self.ceilings[way] = seen = self.bench.ceiling(way)
            if seen.per_s is None:
                self.left.append(Left(way, seen.problem))

    def _open(self) -> list[Way]:
        """Ways that were not searched and have a ceiling, the highest first."""
        known = {way for way, seen in self.ceilings.items() if seen.per_s}
        ways = [w for w in self.options.ways if w.unhurried in known and w not in self.highest]
        return sorted(ways, key=lambda w: -self._most(w) * (_WAITING if w.max_wait_s else 1.0))

    def _next(self) -> Way | None:
        """The way with the highest ceiling that can hold more than what is known to hold most.

        Each engine's first: which of them errs too much is decided by more than these texts.
        """
        if self.highest and self.options.seconds - self.bench.spent_s < _WORTH_S:
            return None
        searched = {way.engine for way in self.highest}
        ways = [way for way in self._open() if not self._beaten(way)]
        return next((w for w in ways if w.engine not in searched), next(iter(ways), None))

    def _minutes(self) -> float:
        left = max(_WORTH_S, self.options.seconds - self.bench.spent_s)
        return min(self.options.search_minutes, left / 60)

    def _most(self, way: Way) -> float:
        return self.ceilings[way.unhurried].per_s or 0.0

    def _beaten(self, way: Way) -> Way | None:
        """What is shown to hold more than this way ever serves; None where nothing is."""
        rivals = [other for other in self.highest if self._replaces(other, way)]
        best = max(rivals, key=lambda other: self.highest[other].sure_per_s, default=None)
        if best is None or self.highest[best].sure_per_s < _ABOVE * self._most(way):
            return None
        return best

    def _replaces(self, other: Way, way: Way) -> bool:
        """Whether its texts are as good, as far as both were read."""
        if other.engine == way.engine:
            return True
        wers = self.ceilings[other.unhurried].wer, self.ceilings[way.unhurried].wer
        ours, theirs = wers
        return ours is None or theirs is None or ours <= theirs + self.options.max_wer_loss / 100

    def _why(self, way: Way) -> str:
        serves = f"it serves {plain(self._most(way))} a second where clients always wait"
        best = self._beaten(way)
        if best is None:
            return f"no time was left; {serves}, and may hold up to that"
        held = plain(self.highest[best].sure_per_s)
        return f"{serves}, and {best.label} holds {held} at least"


def _trials(found: Mapping[Way, Seen]) -> tuple[Trial, ...]:
    return tuple(Trial(way, seen) for way, seen in found.items())
