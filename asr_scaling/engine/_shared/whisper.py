"""What engines that run Whisper have in common: which models they take, and its window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import imported
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.other_engine import engine_for
from asr_scaling.errors import EngineError


def check_whisper(model: ModelSpec, engine: str, *packages: str) -> None:
    """Raises EngineError when ``model`` is no Whisper, MissingExtraError without a package."""
    if model.family != "whisper":
        raise EngineError(
            f"engine={engine} runs Whisper and its distilled students, and '{model.name}' is a "
            f"'{model.model_type}': use {engine_for(model)}."
        )
    for package in packages:
        imported(package, engine)


def window_of(model: ModelSpec) -> float:
    """Seconds of audio that the encoder was trained on."""
    return model.window_s or 30.0


def asked(model: ModelSpec, batch: AudioBatch) -> list[str | None]:
    """The language that each utterance is transcribed in; None where it is to be recognised."""
    return [model.asked_for(utterance.language) for utterance in batch.utterances]


def hear(languages: list[str | None], recognise: Callable[[], Sequence[str]]) -> None:
    """Puts what ``recognise`` returns in the place of languages that are None.

    ``recognise``: the language of every utterance as the model hears it; called when it is needed.
    """
    if None in languages:
        languages[:] = [code or own for code, own in zip(languages, recognise(), strict=True)]


def told(model: ModelSpec, languages: Sequence[str | None]) -> tuple[str, ...]:
    """For the transcription: ``languages``, or none where the model has no choice."""
    return tuple(filter(None, languages)) if model.multilingual else ()


def first_windows(batch: AudioBatch, window_s: float) -> AudioBatch:
    """The batch with nothing beyond the first ``window_s`` seconds of each utterance."""
    if batch.longest_s <= window_s:
        return batch
    size = round(window_s * SAMPLE_RATE_HZ)
    return AudioBatch(tuple(replace(u, audio=u.audio[:size]) for u in batch.utterances))
