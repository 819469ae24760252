"""How many cores compute, and whether they are always the same ones."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class Threads:
    """Threads of the processor.

    ``count``: threads that compute; None for one per core.
    ``pinned``: they stay on the first ``count`` cores.
    """

    count: int | None = None
    pinned: bool = True

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For device=cpu."""
        return system.set("device", threads=self.count, pinned=self.pinned)
