"""Features computed where the model is, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Composition


@dataclass(frozen=True)
class DeviceFeatures:
    """Samples are transferred instead of features, from pinned memory on a GPU."""

    def apply(self, composition: Composition) -> Composition:
        """For Whisper's log-mel features; engine=transformers computes them there in its own loop."""
        if composition.model.window_s is None:
            composition.refuse(
                f"computes Whisper's features, and '{composition.model.name}' is none"
            )
        loop = {"decode": "loop"} if composition.has("engine", "decode") else {}
        return composition.set("engine", features="device", **loop)
