"""The encoder in float16, the decoder in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec
from asr_scaling.optimisation._packing import Packing


@dataclass(frozen=True)
class Mixed:
    """Loads in float32, so that the decoder's weights are never rounded; then casts the encoder."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models that have a decoder, on a CPU too."""
        if system.model.tokens_per_s is None:
            system.refuse(f"keeps the decoder in float32, and '{system.model.name}' has no decoder")
        return system.set("engine", dtype="float32").change(HalfEncoder())


@dataclass(frozen=True)
class HalfEncoder(Packing):
    """Casts the encoder's weights, what goes into it and, back to float32, what comes out."""

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its encoder in float16."""
        import torch

        encoder = network.get_encoder().to(torch.float16)
        encoder.register_forward_pre_hook(_halve, with_kwargs=True)
        encoder.register_forward_hook(_widen)
        return Changed(network, "encoder cast to float16", "float16 encoder, float32 decoder")


def _halve(
    _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import torch

    named = {name: _cast(value, torch.float16) for name, value in kwargs.items()}
    return tuple(_cast(value, torch.float16) for value in args), named


def _widen(_: Any, args: Any, output: Any) -> Any:
    """The same kind of output; libraries return dictionaries with attributes, or plain tuples."""
    import torch

    if isinstance(output, tuple):
        return tuple(_cast(value, torch.float32) for value in output)
    for name, value in output.items():
        output[name] = _cast(value, torch.float32)
    return output


def _cast(value: Any, dtype: Any) -> Any:
    import torch

    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(dtype) if floating else value
