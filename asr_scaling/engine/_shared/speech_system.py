"""A loaded model in an engine outside torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import AsrScalingError, EngineError, OutOfMemoryError
from asr_scaling.model.convert import Converted

_SHORT_OF_MEMORY = ("bad_alloc", "failed to allocate", "can't allocate", "out of memory")
"""What libraries say when memory is short."""


class Speech(Protocol):
    """A model of one family, loaded: what a system hands its batches to."""

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts."""
        ...


class SpeechSystem:
    """A system that hands batches to ``speech`` until it is closed; then the model is dropped.

    ``free``: gives back what the model does not give back by being dropped.
    """

    def __init__(
        self,
        model: ModelSpec,
        facts: SystemFacts,
        speech: Speech,
        free: Callable[[], None] | None = None,
    ) -> None:
        self.facts = facts
        self._model = model
        self._speech: Speech | None = speech
        self._free = free

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
        """Drops the model."""
        if self._speech is not None and self._free is not None:
            self._free()
        self._speech = None


def facts_of(
    files: Converted,
    dtype: str,
    load_s: float,
    details: Mapping[str, Any] | None = None,
    **more: Any,
) -> SystemFacts:
    """What was loaded of converted ``files``, with their check against transformers."""
    weights, facts = files.weights, dict(files.facts)
    return SystemFacts(
        weights=weights.kind,
        weights_source=weights.origin,
        weights_bytes=facts.pop("bytes"),
        parameters=facts.pop("parameters"),
        dtype=dtype,
        load_s=load_s,
        details={"revision": weights.revision, **facts, **(details or {})},
        **more,
    )


@contextmanager
def out_of_memory(model: ModelSpec, where: str = "memory") -> Iterator[None]:
    """Raises OutOfMemoryError in place of whatever a library raises when memory is short."""
    try:
        yield
    except AsrScalingError:
        raise
    except Exception as error:
        short = any(words in str(error).lower() for words in _SHORT_OF_MEMORY)
        if not short and not isinstance(error, MemoryError):
            raise
        raise OutOfMemoryError(
            f"'{model.name}' does not fit in {where}; use a smaller batch.size or model."
        ) from error
