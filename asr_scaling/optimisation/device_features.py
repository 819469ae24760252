"""Features computed where the model is, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class DeviceFeatures:
    """Samples are transferred instead of features, from pinned memory on a GPU."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For Whisper's log-mel features; engine=transformers needs its own loop for them."""
        if system.model.window_s is None:
            system.refuse(f"computes Whisper's features, and '{system.model.name}' is none")
        loop = {"decode": "loop"} if system.has("engine", "decode") else {}
        return system.set("engine", features="device", **loop)
