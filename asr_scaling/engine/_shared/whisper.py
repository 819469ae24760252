"""What engines that run Whisper have in common: which models they take, and its window."""

from __future__ import annotations

from dataclasses import replace

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import imported
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.errors import EngineError


def check_whisper(model: ModelSpec, engine: str, *packages: str) -> None:
    """Raises EngineError when ``model`` is no Whisper, MissingExtraError without a package."""
    if model.family != "whisper":
        raise EngineError(
            f"engine={engine} runs Whisper and its distilled students, and '{model.name}' is a "
            f"'{model.model_type}': use engine=transformers."
        )
    for package in packages:
        imported(package, engine)


def window_of(model: ModelSpec) -> float:
    """Seconds of audio that the encoder was trained on."""
    return model.window_s or 30.0


def first_windows(batch: AudioBatch, window_s: float) -> AudioBatch:
    """The batch with nothing beyond the first ``window_s`` seconds of each utterance."""
    if batch.longest_s <= window_s:
        return batch
    size = round(window_s * SAMPLE_RATE_HZ)
    return AudioBatch(tuple(replace(u, audio=u.audio[:size]) for u in batch.utterances))
