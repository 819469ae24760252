"""INT8 dynamic quantisation: 8-bit weights, and activations rounded to 8 bits at every call."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec, option_of
from asr_scaling.optimisation._int8_linear import Int8Dynamic
from asr_scaling.optimisation._torchao import by_torchao


@dataclass(frozen=True)
class Int8:
    """A changed network when the engine has one, else the data type "int8"."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """Sets int8 by the engine's own means.

        On a CPU the kernels take float32 only, so bf16 and fp16 don't go with it; on a GPU
        torchao's take any.
        """
        if not system.has("engine", "changes"):
            return system.set("engine", dtype="int8")
        if system.device.kind == "cpu":
            return system.set("engine", dtype="float32").change(Int8Dynamic())
        return by_torchao(system, "Int8DynamicActivationInt8WeightConfig", "int8")

    def check(self, system: SystemSpec) -> None:
        """Raises ConfigError with torch.compile on a CPU: it would stop at every packed layer."""
        packed = system.device.kind == "cpu" and system.has("engine", "changes")
        if packed and option_of(system.engine, "compile"):
            system.refuse(
                "packs weights that torch.compile can't see: leave engine.compile out, or int8"
            )
