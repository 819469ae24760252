"""A loaded model in an engine outside torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.whisper import out_of_memory
from asr_scaling.errors import EngineError


class Speech(Protocol):
    """A model of one family, loaded: what a system hands its batches to."""

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts."""
        ...


class SpeechSystem:
    """``speech`` until it is closed; then the model is dropped."""

    def __init__(self, model: ModelSpec, facts: SystemFacts, speech: Speech) -> None:
        self.facts = facts
        self._model = model
        self._speech: Speech | None = speech

    @property
    def modules(self) -> Mapping[str, Any]:
        """Empty: such an engine has no torch modules."""
        return {}

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts."""
        if self._speech is None:
            raise EngineError(f"'{self._model.name}' is closed; load it again.")
        with out_of_memory(self._model):
            return self._speech.transcribe(batch, probe)

    def close(self) -> None:
        """Drop the model."""
        self._speech = None
