"""Freed memory stays with the process, so the next call need not map and clear it again."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec, option_of


@dataclass(frozen=True)
class KeepHeap:
    """Spares page faults: a large batch allocates and frees hundreds of megabytes.

    See device/_glibc_heap.py.
    """

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For device=cpu; device.steady keeps the heap already."""
        if option_of(system.device, "steady"):
            return system
        return system.set("device", heap="keep")
