"""Whisper decoded by a greedy loop that does little else than the network's own arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec, option_of
from asr_scaling.core.workload import AudioBatch


@dataclass(frozen=True)
class DecodeLoop:
    """The same tokens as the library's ``generate``; utterances that have ended leave the batch."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models with a window, in the engine that has such a loop."""
        if system.model.window_s is None:
            system.refuse(f"decodes windows, and '{system.model.name}' has none")
        return system.set("engine", decode="loop")

    def idle_on(self, system: SystemSpec, batches: Sequence[AudioBatch]) -> str | None:
        """A batch with an utterance beyond a window is the library's, unless it is cut there."""
        whole_s = system.model.window_s
        cut = option_of(system.engine, "long_form") is False
        if whole_s is None or cut or option_of(system.engine, "decode") != "loop":
            return None
        if any(batch.longest_s <= whole_s for batch in batches):
            return None
        return (
            f"every batch has an utterance of more than the {whole_s:g} s of a window, which the "
            "library decodes"
        )
