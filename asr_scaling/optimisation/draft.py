"""Speculative decoding: a smaller model drafts tokens, the model under test checks them."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class Draft:
    """``model``: name of the smaller model.

    Both have one vocabulary: whisper_tiny drafts for whisper_base.
    """

    model: str = "whisper_tiny"

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines that can; which models fit one another is for the engine to say."""
        return system.set("engine", draft=self.model)

    def check(self, system: SystemSpec) -> None:
        """Raises ConfigError for batches of several utterances: the library drafts for one."""
        batch = system.batch
        if not isinstance(batch, Fixed) or batch.size != 1:
            system.refuse("decodes one utterance at a time: set batch=1")
