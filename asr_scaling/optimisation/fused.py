"""Queries, keys and values by one matrix product instead of three."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec, Turn
from asr_scaling.errors import EngineError

PROJECTIONS = ("q_proj", "k_proj", "v_proj")
CROSS = "encoder_attn"
"""Attention to the encoder's output: its queries come from elsewhere than its keys and values."""


@dataclass(frozen=True)
class Fused:
    """Numerically the same; fewer and larger matrix products."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For networks whose self-attention projects one input three times."""
        if system.model.architecture.get("position_embeddings_type") == "rotary":
            system.refuse(
                f"joins what has one input, and '{system.model.name}' rotates the input of "
                "queries and keys alone"
            )
        return system.change(JoinProjections())


@dataclass(frozen=True)
class JoinProjections:
    """Replaces three Linear layers by one, in every module of self-attention.

    The attention code of the library stays. It asks for queries, keys and values in turn, and gets
    the first third of the product for the queries, then the rest for the other two.
    """

    kind: str = field(default="projections", init=False)
    turn: Turn = field(default=Turn.JOIN, init=False)

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its projections joined in place."""
        joined = 0
        for name, module in list(network.named_modules()):
            if name.endswith(CROSS) or not all(hasattr(module, part) for part in PROJECTIONS):
                continue
            join(module)
            joined += 1
        if not joined:
            raise EngineError(
                f"'{model.name}' has no self-attention with {', '.join(PROJECTIONS)} to join."
            )
        return Changed(network, f"projections joined in {joined} self-attentions")


def join(attention: Any) -> None:
    """Join the three projections of one module of self-attention."""
    first, part = _modules()
    queries = first([getattr(attention, name) for name in PROJECTIONS])
    attention.q_proj = queries
    attention.k_proj, attention.v_proj = part(queries, 0), part(queries, 1)


@cache
def _modules() -> tuple[Any, Any]:
    import torch

    class First(torch.nn.Module):
        """Computes all three, returns the queries, and holds the rest until it is asked for."""

        def __init__(self, layers: list[torch.nn.Linear]) -> None:
            super().__init__()
            self.sizes = [layer.out_features for layer in layers]
            self.linear = _stacked(layers)
            self.seen: torch.Tensor | None = None
            self.held: list[torch.Tensor] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen = x
            queries: torch.Tensor
            queries, *self.held = self.linear(x).split(self.sizes, dim=-1)
            return queries

        def take(self, x: torch.Tensor, index: int) -> torch.Tensor:
            if x is not self.seen:
                raise EngineError(
                    "Keys and values were asked for of another input than queries: leave out fused."
                )
            taken = self.held[index]
            if index == 1:
                self.seen, self.held = None, []
            return taken

    class Part(torch.nn.Module):
        """Keys or values; ``first`` is a child of the attention already, so it is no child here."""

        def __init__(self, first: First, index: int) -> None:
            super().__init__()
            self.of, self.index = (first,), index

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.of[0].take(x, self.index)

    return First, Part


def _stacked(layers: list[Any]) -> Any:
    """One Linear layer with the outputs of all; a missing bias becomes zeros."""
    import torch

    weight = torch.cat([layer.weight for layer in layers])
    has_bias = any(layer.bias is not None for layer in layers)
    stacked = torch.nn.Linear(weight.shape[1], weight.shape[0], has_bias, device="meta")
    stacked.weight = torch.nn.Parameter(weight, requires_grad=False)
    if has_bias:
        sizes = [(layer.bias, layer.out_features) for layer in layers]
        biases = [weight.new_zeros(size) if bias is None else bias for bias, size in sizes]
        stacked.bias = torch.nn.Parameter(torch.cat(biases), requires_grad=False)
    return stacked
