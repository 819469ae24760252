"""torch.compile, whole or by layers that repeat."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Composition


@dataclass(frozen=True)
class Compiled:
    """``mode``: of engine.compile. What it costs at start-up is the metric for compile time."""

    mode: str = "default"

    def apply(self, composition: Composition) -> Composition:
        """For engines that compile; CUDA graphs, which the mode reduce-overhead adds, only on a GPU."""
        if self.mode == "reduce-overhead" and composition.device.kind != "cuda":
            composition.refuse(
                f"captures CUDA graphs, which device={composition.device.kind} does not have"
            )
        return composition.set("engine", compile=self.mode)
