"""Lengths of speech and text, and what engines that run nothing but Whisper have in common."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import SystemFacts
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.errors import AsrScalingError, EngineError, MissingExtraError, OutOfMemoryError
from asr_scaling.model.convert import Converted

_SHORT_OF_MEMORY = ("bad_alloc", "failed to allocate", "can't allocate", "out of memory")
"""What libraries say when memory is short."""


def check_whisper(model: ModelSpec, engine: str, *packages: str) -> None:
    """EngineError unless ``model`` is a Whisper; MissingExtraError unless the ``packages`` of the extra are there."""
    if model.family != "whisper":
        raise EngineError(
            f"engine={engine} runs Whisper and its distilled students, and '{model.name}' is a '{model.model_type}': "
            "use engine=transformers."
        )
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, engine) from error


def window_of(model: ModelSpec) -> float:
    """Seconds of audio that the encoder was trained on."""
    return model.window_s or 30.0


def longest_s(batch: AudioBatch) -> float:
    """Seconds of the longest utterance."""
    return max(utterance.duration_s for utterance in batch.utterances)


def durations(batch: AudioBatch) -> tuple[float, ...]:
    """Seconds of audio of each utterance."""
    return tuple(utterance.duration_s for utterance in batch.utterances)


def first_windows(batch: AudioBatch, window_s: float) -> AudioBatch:
    """The batch with nothing beyond ``window_s`` of each utterance."""
    if longest_s(batch) <= window_s:
        return batch
    size = round(window_s * SAMPLE_RATE_HZ)
    return AudioBatch(tuple(replace(u, audio=u.audio[:size]) for u in batch.utterances))


def planned_tokens(model: ModelSpec, seconds: float) -> int:
    """Tokens that speech of this length would yield: the decoding length of random weights; at least 1."""
    return max(1, round(seconds * (model.tokens_per_s or 0.0)))


def facts_of(files: Converted, dtype: str, load_s: float, **more: Any) -> SystemFacts:
    """What was loaded of converted ``files``; their check against transformers is among the details."""
    weights, said = files.weights, dict(files.facts)
    return SystemFacts(
        weights=weights.kind,
        weights_source=weights.reason if weights.kind == "random" else weights.source,
        weights_bytes=said.pop("bytes"),
        parameters=said.pop("parameters"),
        dtype=dtype,
        load_s=load_s,
        **{**more, "details": {"revision": weights.revision, **said, **more.get("details", {})}},
    )


@contextmanager
def out_of_memory(model: ModelSpec) -> Iterator[None]:
    """A library's ways of saying that memory is short, as one error."""
    try:
        yield
    except AsrScalingError:
        raise
    except Exception as error:
        said = str(error).lower()
        if not isinstance(error, MemoryError) and not any(
            words in said for words in _SHORT_OF_MEMORY
        ):
            raise
        raise OutOfMemoryError(
            f"'{model.name}' does not fit in memory; use a smaller batch.size or model."
        ) from error
