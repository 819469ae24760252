"""Speculative decoding: a smaller model drafts, the model under test checks several tokens in one step."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class Draft:
    """``model``: the smaller one, by its name. Both have one vocabulary: whisper_tiny drafts for whisper_base."""

    model: str = "whisper_tiny"

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For engines that can; which models fit one another is for the engine to say."""
        return system.set("engine", draft=self.model)

    def check(self, system: SystemSpec) -> None:
        """Drafts of several utterances are accepted to different lengths, which the library does not do."""
        batch = system.batch
        if not isinstance(batch, Fixed) or batch.size != 1:
            system.refuse("decodes one utterance at a time: set batch=1")
