"""Which kernel computes attention."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec, option_of
from asr_scaling.errors import MissingExtraError


@dataclass(frozen=True)
class Attention:
    """``kernel``: how attention is computed.

    "eager" (plain matrix products), "sdpa" (torch's fused one) or "flash_attention_2" (flash-attn).
    """

    kernel: str

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines with a choice."""
        if self.kernel == "flash_attention_2" and system.device.kind != "cuda":
            system.refuse(
                "has kernels for NVIDIA GPUs alone: choose device=cuda, or attention_sdpa"
            )
        return system.set("engine", attention=self.kernel)

    def check(self, system: SystemSpec) -> None:
        """FlashAttention computes in 16 bits (Dao 2023, README: "only supports fp16 and bf16")."""
        if self.kernel != "flash_attention_2":
            return
        dtype = option_of(system.engine, "dtype")
        if dtype not in ("float16", "bfloat16"):
            system.refuse(f"computes in 16 bits, and engine.dtype is {dtype}: add bf16 or fp16")
        if importlib.util.find_spec("flash_attn") is None:
            raise MissingExtraError("flash-attn")
