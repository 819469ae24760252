"""torch.compile: of the whole forward pass, or of the layers that repeat."""

from __future__ import annotations

from typing import Any

MODES = ("default", "reduce-overhead", "max-autotune", "regional")
"""Modes of torch.compile; "regional" compiles one encoder layer, which all like it reuse."""


def compile_mode(option: bool | str | None) -> str | None:
    """The mode that ``engine.compile`` stands for: true is "default", false and null are none."""
    return "default" if option is True else option or None


def compile_network(network: Any, mode: str) -> None:
    """Makes the first calls compile the forward pass in place; hooks stay outside of it."""
    if mode == "regional":
        for layer in repeated_layers(network):
            compile_forward(layer, "default")
    else:
        compile_forward(network, mode)


def compile_forward(module: Any, mode: str) -> None:
    """Have ``module.forward`` compiled by its first call."""
    import torch

    module.forward = torch.compile(module.forward, mode=mode)


def repeated_layers(network: Any) -> list[Any]:
    """The encoder's layers: outside a decoder, the list of modules with most parameters."""
    import torch

    lists: list[torch.nn.Module] = [
        module
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.ModuleList) and "decoder" not in name
    ]
    return list(
        max(lists, key=lambda layers: sum(p.numel() for p in layers.parameters())).children()
    )


def compile_seconds() -> float:
    """Wall seconds that torch.compile took in this process so far, by its own account."""
    from torch._dynamo.utils import calculate_time_spent

    return float(calculate_time_spent().get("total_wall_time", 0.0))
