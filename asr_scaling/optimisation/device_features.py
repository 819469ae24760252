"""Features computed where the model is, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec
from asr_scaling.optimisation._own_loop import InOwnLoop


@dataclass(frozen=True)
class DeviceFeatures(InOwnLoop):
    """Samples are transferred instead of features, from pinned memory on a GPU."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For Whisper's log-mel features; engine=transformers needs its own loop for them."""
        if system.model.window_s is None:
            system.refuse(f"computes Whisper's features, and '{system.model.name}' is none")
        return system.set("engine", features="device")
