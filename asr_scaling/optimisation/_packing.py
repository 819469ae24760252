"""What changes that pack the weights of a network have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Turn
from asr_scaling.errors import EngineError


@dataclass(frozen=True)
class Packing:
    """A change of how weights are stored: the last one that is made, and one at most."""

    kind: str = field(default="weights", init=False)
    turn: Turn = field(default=Turn.PACK, init=False)


def linear_layers(network: Any) -> dict[str, Any]:
    """Name → module of every Linear layer of ``network``; subclasses are none."""
    import torch

    modules = network.named_modules()
    return {name: module for name, module in modules if type(module) is torch.nn.Linear}


def fitting(layers: dict[str, Any], multiple: int, model: ModelSpec) -> dict[str, Any]:
    """Those of ``layers`` whose rows and columns are multiples of ``multiple``.

    Raises EngineError when there is none.
    """
    fits = {
        name: layer
        for name, layer in layers.items()
        if layer.in_features % multiple == 0 and layer.out_features % multiple == 0
    }
    if not fits:
        raise EngineError(
            f"'{model.name}' has no Linear layer whose sizes are multiples of {multiple}."
        )
    return fits


def dtype_of(network: Any) -> str:
    """The data type of ``network`` without "torch."."""
    return str(network.dtype).removeprefix("torch.")
