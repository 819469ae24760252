"""Which kernel computes attention."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from asr_scaling.core.ports import Composition
from asr_scaling.errors import MissingExtraError


@dataclass(frozen=True)
class Attention:
    """``kernel``: "eager" (plain matrix products), "sdpa" (torch's fused one), "flash_attention_2" (flash-attn)."""

    kernel: str

    def apply(self, composition: Composition) -> Composition:
        """For engines with a choice."""
        if self.kernel == "flash_attention_2" and composition.device.kind != "cuda":
            composition.refuse(
                "has kernels for NVIDIA GPUs alone: choose device=cuda, or attention_sdpa"
            )
        return composition.set("engine", attention=self.kernel)

    def check(self, composition: Composition) -> None:
        """FlashAttention computes in 16 bits (Dao 2023, README: "only supports fp16 and bf16")."""
        if self.kernel != "flash_attention_2":
            return
        dtype = getattr(composition.engine, "dtype", "")
        if dtype not in ("float16", "bfloat16"):
            composition.refuse(
                f"computes in 16 bits, and engine.dtype is {dtype}: add bf16 or fp16"
            )
        if importlib.util.find_spec("flash_attn") is None:
            raise MissingExtraError("flash-attn")
