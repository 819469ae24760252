"""torch.compile, whole or by layers that repeat."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class Compiled:
    """``mode``: of engine.compile. What it costs at start-up is the metric for compile time."""

    mode: str = "default"

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines that compile; mode reduce-overhead needs a GPU for its CUDA graphs."""
        if self.mode == "reduce-overhead" and system.device.kind != "cuda":
            system.refuse(f"captures CUDA graphs, which device={system.device.kind} does not have")
        return system.set("engine", compile=self.mode)
