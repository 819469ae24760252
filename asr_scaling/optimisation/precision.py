"""Weights and arithmetic in a shorter floating-point format."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class Precision:
    """``dtype``: bfloat16 (8 bits of exponent, 7 of fraction) or float16 (5 and 10)."""

    dtype: str

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines with a choice of data types; which of them they have, they say themselves."""
        return system.set("engine", dtype=self.dtype)
