"""Freed memory stays with the process, so that the next call need not have it mapped and cleared again."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class KeepHeap:
    """A large batch allocates and frees hundreds of megabytes, each page of which costs a fault (device/_heap.py)."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For device=cpu."""
        return system.set("device", heap="keep")
