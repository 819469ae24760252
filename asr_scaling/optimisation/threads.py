"""How many cores compute, and whether they are always the same ones."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Composition


@dataclass(frozen=True)
class Threads:
    """``count``: threads that compute, None for one a core. ``pinned``: they stay on the first ``count`` cores."""

    count: int | None = None
    pinned: bool = True

    def apply(self, composition: Composition) -> Composition:
        """For device=cpu."""
        return composition.set("device", threads=self.count, pinned=self.pinned)
