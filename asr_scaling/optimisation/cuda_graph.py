"""The decoding step as a CUDA graph: one launch a step instead of hundreds."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec
from asr_scaling.optimisation._own_loop import InOwnLoop


@dataclass(frozen=True)
class CudaGraph(InOwnLoop):
    """Each number of utterances and each window has a graph, captured at its first batch."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models with a window, on a GPU."""
        if system.device.kind != "cuda":
            system.refuse(f"captures CUDA graphs, which device={system.device.kind} does not have")
        if system.model.window_s is None:
            system.refuse(
                f"captures steps of Whisper's decoder, and '{system.model.name}' has no window"
            )
        return system.set("engine", cuda_graph=True)
