"""Whisper's encoder on the audio that is there, instead of 30 s of mostly silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.short_window import window_s
from asr_scaling.optimisation._own_loop import InOwnLoop


@dataclass(frozen=True)
class DynamicWindow(InOwnLoop):
    """``margin_s``: seconds that the encoder sees beyond the longest utterance of a batch.

    When they are too few, Whisper repeats itself; such utterances are decoded again with the whole
    window (engine/_shared/short_window.py).
    """

    margin_s: float = 4.0

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models with a window, in engines that can shorten it."""
        if system.model.window_s is None:
            system.refuse(f"shortens a window, and '{system.model.name}' has none")
        return system.set("engine", window_margin_s=self.margin_s)

    def idle_on(self, system: SystemSpec, batches: Sequence[AudioBatch]) -> str | None:
        """It does nothing where every batch needs the whole window."""
        whole_s = system.model.window_s
        if whole_s is None or any(window_s(batch, self.margin_s, whole_s) for batch in batches):
            return None
        return (
            f"every batch has an utterance that fills the window of {whole_s:g} s but for the "
            f"margin of {self.margin_s:g} s"
        )
