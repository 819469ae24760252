"""The decoding step captured once in a CUDA graph, and replayed: one launch a step instead of hundreds."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Composition


@dataclass(frozen=True)
class CudaGraph:
    """For each number of utterances and each window a graph of its own, captured at the first batch of that shape."""

    def apply(self, composition: Composition) -> Composition:
        """For models with a window, on a GPU."""
        if composition.device.kind != "cuda":
            composition.refuse(
                f"captures CUDA graphs, which device={composition.device.kind} does not have"
            )
        if composition.model.window_s is None:
            composition.refuse(
                f"captures steps of Whisper's decoder, and '{composition.model.name}' has no window"
            )
        return composition.set("engine", cuda_graph=True, decode="loop")
