"""8-bit weights that are widened when they are used; activations stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec, Turn
from asr_scaling.optimisation._int8_linear import replace_linears, widening
from asr_scaling.optimisation._torchao import Torchao, need_torchao


@dataclass(frozen=True)
class Int8Weights:
    """Less memory to hold and read; the arithmetic stays, and widening comes on top."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines whose network can be changed, in any data type; on a GPU by torchao."""
        if system.device.kind == "cpu":
            return system.change(Int8Widening())
        system = system.change(Torchao("Int8WeightOnlyConfig", "int8"))
        need_torchao()
        return system


@dataclass(frozen=True)
class Int8Widening:
    """Every Linear layer; the embedding that shares the output layer's weights stays."""

    kind: str = field(default="weights", init=False)
    turn: Turn = field(default=Turn.PACK, init=False)

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its Linear layers replaced in place."""
        dtype = str(network.dtype).removeprefix("torch.")
        count = replace_linears(network, widening)
        return Changed(
            network, f"int8 weights in {count} Linear layers", f"int8 Linear weights, else {dtype}"
        )
