"""Whisper decoded by a greedy loop that does little else than the network's own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class DecodeLoop:
    """The same tokens as the library's ``generate``; utterances that have ended leave the batch."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models with a window, in the engine that has such a loop."""
        if system.model.window_s is None:
            system.refuse(f"decodes windows, and '{system.model.name}' has none")
        return system.set("engine", decode="loop")
