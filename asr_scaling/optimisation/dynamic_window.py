"""Whisper's encoder on the audio that is there, instead of 30 s of mostly silence."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class DynamicWindow:
    """``margin_s``: seconds that the encoder sees beyond the longest utterance of a batch.

    When they are too few, Whisper repeats itself; such utterances are decoded again with the whole
    window (engine/_shared/short_window.py).
    """

    margin_s: float = 4.0

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models with a window, in engines that can shorten it."""
        if system.model.window_s is None:
            system.refuse(f"shortens a window, and '{system.model.name}' has none")
        loop = {"decode": "loop"} if system.has("engine", "decode") else {}
        return system.set("engine", window_margin_s=self.margin_s, **loop)
