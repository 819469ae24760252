"""Which optimisation is to blame where a composition fails or errs too much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection


class Suspects:
    """Optimisations that were seen in something bad, and on their engine in nothing good.

    everywhere: what is suspected on one engine is suspected on all others too, until it is seen in
    something good there.
    """

    def __init__(self, *, everywhere: bool) -> None:
        self._everywhere = everywhere
        self._good: dict[str, set[str]] = defaultdict(set)
        self._bad: dict[str, set[str]] = defaultdict(set)

    def acquit(self, engine: str, names: Collection[str]) -> None:
        """All of them were in something good."""
        self._good[engine].update(names)

    def accuse(self, engine: str, names: Collection[str]) -> str | None:
        """One of them is to blame for something bad; the name where it can only be that one."""
        suspects = set(names) - self._good[engine]
        self._bad["" if self._everywhere else engine] |= suspects
        return suspects.pop() if len(suspects) == 1 else None

    def any_of(self, engine: str, names: Collection[str]) -> bool:
        """Whether one of them is suspected on this engine."""
        bad = self._bad["" if self._everywhere else engine]
        return not (bad - self._good[engine]).isdisjoint(names)
