"""Whisper decoded by a greedy loop that does little else than the network's own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Composition


@dataclass(frozen=True)
class DecodeLoop:
    """The same tokens as the library's ``generate``; utterances that have ended leave the batch."""

    def apply(self, composition: Composition) -> Composition:
        """For models with a window, in the engine that has such a loop."""
        if composition.model.window_s is None:
            composition.refuse(f"decodes windows, and '{composition.model.name}' has none")
        return composition.set("engine", decode="loop")
