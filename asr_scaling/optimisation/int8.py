"""INT8 dynamic quantisation: 8-bit weights, and activations rounded to 8 bits at every call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec, Turn, option_of
from asr_scaling.optimisation._int8_linear import dynamic, replace_linears
from asr_scaling.optimisation._torchao import Torchao, need_torchao


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
        system = system.change(Torchao("Int8DynamicActivationInt8WeightConfig", "int8"))
        need_torchao()
        return system

    def check(self, system: SystemSpec) -> None:
        """Raises ConfigError with torch.compile on a CPU: it would stop at every packed layer."""
        packed = system.device.kind == "cpu" and system.has("engine", "changes")
        if packed and option_of(system.engine, "compile"):
            system.refuse(
                "packs weights that torch.compile can't see: leave engine.compile out, or int8"
            )


@dataclass(frozen=True)
class Int8Dynamic:
    """Every Linear layer; the embedding that shares the output layer's weights stays float32."""

    kind: str = field(default="weights", init=False)
    turn: Turn = field(default=Turn.PACK, init=False)

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its Linear layers replaced in place."""
        count = replace_linears(network, dynamic)
        return Changed(
            network,
            f"int8 weights and activations in {count} Linear layers",
            "int8 Linear, else float32",
        )
