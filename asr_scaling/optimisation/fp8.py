"""FP8 (e4m3) weights and activations, on GPUs whose Tensor Cores multiply them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from asr_scaling.core.ports import Optimisation, SystemSpec, option_of
from asr_scaling.optimisation._gpu_capability import need_capability
from asr_scaling.optimisation._torchao import by_torchao
from asr_scaling.optimisation.precision import Precision

CAPABILITY = (8, 9)
"""Ada; Hopper is 9.0 (CUDA C++ Programming Guide, table of features per compute capability)."""
MULTIPLE = 16
"""Of rows and columns: what torch._scaled_mm takes."""


@dataclass(frozen=True)
class Fp8:
    """One scale per row of activations and per output of weights; the rest is bfloat16."""

    def needs(self, system: SystemSpec) -> Mapping[str, Optimisation]:
        """``bf16``, unless the engine computes in it already: scales per row need it."""
        dtype = option_of(system.engine, "dtype")
        return {} if dtype in (None, "bfloat16") else {"bf16": Precision("bfloat16")}

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For device=cuda."""
        need_capability(system, CAPABILITY, "FP8")
        config = "Float8DynamicActivationFloat8WeightConfig"
        return by_torchao(system, config, "float8_e4m3fn", MULTIPLE, "PerRow")
