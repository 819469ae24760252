"""8-bit weights that are widened when they are used; activations stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec
from asr_scaling.optimisation._int8_linear import Int8Widening
from asr_scaling.optimisation._torchao import by_torchao


@dataclass(frozen=True)
class Int8Weights:
    """Less memory to hold and read; the arithmetic stays, and widening comes on top."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines whose network can be changed, in any data type; on a GPU by torchao."""
        if system.device.kind == "cpu":
            return system.change(Int8Widening())
        return by_torchao(system, "Int8WeightOnlyConfig", "int8")
