"""Linear layers with int8 weights on torch's CPU kernels: one scale per output, no zero points."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device
from asr_scaling.optimisation._packing import Packing, dtype_of, linear_layers


@dataclass(frozen=True)
class Int8Dynamic(Packing):
    """Every Linear layer; the embedding that shares the output layer's weights stays float32."""

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its Linear layers replaced in place."""
        count = _replace_linears(network, dynamic)
        done = f"int8 weights and activations in {count} Linear layers"
        return Changed(network, done, "int8 Linear, else float32")


@dataclass(frozen=True)
class Int8Widening(Packing):
    """Every Linear layer; the embedding that shares the output layer's weights stays."""

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its Linear layers replaced in place."""
        dtype = f"int8 Linear weights, else {dtype_of(network)}"
        count = _replace_linears(network, widening)
        return Changed(network, f"int8 weights in {count} Linear layers", dtype)


def _replace_linears(network: Any, make: Callable[[Any], Any]) -> int:
    """Replaces every Linear layer of ``network`` by ``make(layer)``; returns their number."""
    layers = linear_layers(network)
    for name, layer in layers.items():
        network.set_submodule(name, make(layer))
    return len(layers)


def dynamic(linear: Any) -> Any:
    """A layer that multiplies in int8: float32 in and out, each input rounded over its own range.

    Inputs are rounded to 7 bits, as by torch's own dynamic quantisation, since 8 bits overflow on
    processors without VNNI (``reduce_range``, torch.ao.quantization). ``packed_bytes`` is the size
    of the weights, which are no tensors any more.
    """
    return _dynamic_class()(linear)


def widening(linear: Any) -> Any:
    """A layer that multiplies in the data type of its input; weights are widened at every call."""
    return _widening_class()(linear)


@cache
def _dynamic_class() -> Any:
    import torch

    operator = torch.ops.quantized.linear_dynamic
    _count(operator, lambda x, *_: x[-1])

    class DynamicLinear(torch.nn.Module):
        def __init__(self, linear: torch.nn.Linear) -> None:
            super().__init__()
            weight, scales = linear.weight.float(), _scales(linear.weight)
            zeros = torch.zeros(len(scales), dtype=torch.int64)
            bias = None if linear.bias is None else linear.bias.float()
            with warnings.catch_warnings():  # the kernels stay, it says
                warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
                quantised = torch.quantize_per_channel(
                    weight, scales.double(), zeros, 0, torch.qint8
                )
                self.packed = torch.ops.quantized.linear_prepack(quantised, bias)
            self.packed_bytes = weight.numel() + 4 * len(scales) * (1 if bias is None else 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = operator(x, self.packed, True)
            return result

    return DynamicLinear


@cache
def _widening_class() -> Any:
    import torch

    _count(torch.ops.aten._weight_int8pack_mm, lambda x, *_: x[-1])

    class WideningLinear(torch.nn.Module):
        weight: torch.Tensor
        scales: torch.Tensor

        def __init__(self, linear: torch.nn.Linear) -> None:
            super().__init__()
            scales = _scales(linear.weight)
            self.register_buffer(
                "weight", (linear.weight.float() / scales[:, None]).round().to(torch.int8)
            )
            self.register_buffer("scales", scales.to(linear.weight.dtype))
            self.bias = linear.bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if math.prod(x.shape[:-1]) == 1:
                row = torch._weight_int8pack_mm(x.reshape(1, -1), self.weight, self.scales)
                result = row.reshape(*x.shape[:-1], -1)
            else:
                result = torch.nn.functional.linear(x, self.weight.to(x.dtype)) * self.scales
            return result if self.bias is None else result + self.bias

    return WideningLinear


def _scales(weight: Any) -> Any:
    """Scale of each output, so that its largest weight becomes 127; never 0."""
    import torch

    return (weight.float().abs().amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)


def _count(operator: Any, inner: Callable[..., int]) -> None:
    """Makes torch's counter count ``operator``: two operations for a multiply-add."""
    from torch.utils.flop_counter import flop_registry, register_flop_formula

    def count(*args: Any, out_shape: Any = None, **_: Any) -> int:
        return int(2 * math.prod(out_shape) * inner(*args))

    if operator not in flop_registry:
        register_flop_formula(operator)(count)
