"""2:4 sparsity: of every four weights in a row the two smallest are dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec, Turn, option_of
from asr_scaling.errors import EngineError
from asr_scaling.optimisation._gpu import need_capability

CAPABILITY = (8, 0)
"""Ampere (Mishra et al. 2021, arXiv 2104.08378)."""
MULTIPLE = 64
"""Of rows and columns: what every kernel behind torch.sparse takes, in 16 bits."""


@dataclass(frozen=True)
class Sparse24:
    """Prunes without training afterwards; the WER shows what that costs.

    Sparse Tensor Cores skip the dropped weights. The pattern was meant to be trained.
    """

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For device=cuda."""
        need_capability(system, CAPABILITY, "2:4 sparsity")
        return system.change(HalfTheWeights())

    def check(self, system: SystemSpec) -> None:
        """In 16 bits, whichever optimisation or option says so."""
        dtype = option_of(system.engine, "dtype")
        if dtype not in ("float16", "bfloat16"):
            system.refuse(f"has kernels for 16 bits, and engine.dtype is {dtype}: add bf16 or fp16")


@dataclass(frozen=True)
class HalfTheWeights:
    """Every Linear layer whose sizes fit; the others stay dense, and are counted."""

    kind: str = field(default="weights", init=False)
    turn: Turn = field(default=Turn.PACK, init=False)

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with sparse weights, packed for the GPU."""
        import torch
        from torch.sparse import to_sparse_semi_structured

        linear = [module for module in network.modules() if type(module) is torch.nn.Linear]
        fitting = [
            m for m in linear if m.in_features % MULTIPLE == 0 and m.out_features % MULTIPLE == 0
        ]
        if not fitting:
            raise EngineError(
                f"'{model.name}' has no Linear layer whose sizes are multiples of {MULTIPLE}."
            )
        for module in fitting:
            packed = to_sparse_semi_structured(two_of_four(module.weight.detach()))
            module.weight = torch.nn.Parameter(packed, requires_grad=False)
        said = f"2:4 sparse weights in {len(fitting)} of {len(linear)} Linear layers, not trained afterwards"
        dtype = str(network.dtype).removeprefix("torch.")
        return Changed(network, said, f"{dtype}, 2:4 sparse Linear weights")


def two_of_four(weight: Any) -> Any:
    """``weight [outputs, inputs]`` with the two smallest of every four inputs set to zero."""
    import torch

    groups = weight.reshape(weight.shape[0], -1, 4)
    keep = groups.abs().topk(2, dim=-1).indices
    return torch.zeros_like(groups).scatter(-1, keep, groups.gather(-1, keep)).reshape(weight.shape)
