"""2:4 sparsity: of every four weights in a row the two smallest are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec, option_of
from asr_scaling.optimisation._gpu_capability import need_capability
from asr_scaling.optimisation._packing import Packing, dtype_of, fitting, linear_layers

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
class HalfTheWeights(Packing):
    """Every Linear layer whose sizes fit; the others stay dense, and are counted."""

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with sparse weights, packed for the GPU."""
        import torch
        from torch.sparse import to_sparse_semi_structured

        layers = linear_layers(network)
        fits = fitting(layers, MULTIPLE, model)
        for layer in fits.values():
            packed = to_sparse_semi_structured(two_of_four(layer.weight.detach()))
            layer.weight = torch.nn.Parameter(packed, requires_grad=False)
        where = f"{len(fits)} of {len(layers)} Linear layers"
        done = f"2:4 sparse weights in {where}, not trained afterwards"
        return Changed(network, done, f"{dtype_of(network)}, 2:4 sparse Linear weights")


def two_of_four(weight: Any) -> Any:
    """``weight [outputs, inputs]`` with the two smallest of every four inputs set to zero."""
    import torch

    groups = weight.reshape(weight.shape[0], -1, 4)
    keep = groups.abs().topk(2, dim=-1).indices
    return torch.zeros_like(groups).scatter(-1, keep, groups.gather(-1, keep)).reshape(weight.shape)
