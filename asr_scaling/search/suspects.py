"""Which optimisation is to blame where a composition fails or errs too much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

_GOOD_ELSEWHERE = 0.2
"""How likely to be to blame is what was good on another engine, against what was good on none."""
_LEAST = 0.05
"""Chance to be good of what has all that may be to blame for something bad."""


class Suspects:
    """Optimisations that were seen in something bad, and on their engine in nothing good.

    everywhere: what is suspected on one engine is suspected on all others too, until it is seen in
    something good there.
    """

    def __init__(self, *, everywhere: bool) -> None:
        self._everywhere = everywhere
        self._good: dict[str, set[str]] = defaultdict(set)
        self._bad: list[tuple[str, frozenset[str]]] = []

    def acquit(self, engine: str, names: Collection[str]) -> None:
        """All of them were in something good."""
        self._good[engine].update(names)

    def accuse(self, engine: str, names: Collection[str]) -> str | None:
        """One of them is to blame for something bad; the name where it can only be that one."""
        suspects = frozenset(names) - self._good[engine]
        self._bad.append((engine, suspects))
        return next(iter(suspects)) if len(suspects) == 1 else None

    def chance(self, engine: str, names: Collection[str]) -> float:
        """That none of these is to blame for anything bad that was seen.

        Of each bad composition one optimisation is: one that was good anywhere less likely.
        """
        return min(
            (
                self._innocent(engine, frozenset(names), *bad)
                for bad in self._bad
                if self._everywhere or bad[0] == engine
            ),
            default=1.0,
        )

    def _innocent(
        self, engine: str, names: frozenset[str], where: str, accused: frozenset[str]
    ) -> float:
        suspects = accused - self._good[where]
        anywhere = set().union(*self._good.values()) if self._everywhere else set()
        weights = {name: _GOOD_ELSEWHERE if name in anywhere else 1.0 for name in suspects}
        mine = sum(weight for name, weight in weights.items() if name in names - self._good[engine])
        return max(_LEAST, 1 - mine / sum(weights.values())) if mine else 1.0
