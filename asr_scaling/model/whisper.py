"""Whisper's vocabulary, and what transformers computes, which every engine is checked against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.model.convert import example_audio

CHECKED = 8
"""Tokens whose logits are compared."""


def end_of_text(spec: ModelSpec) -> int:
    """The first id that is no text (openai/whisper, tokenizer.py, as for all ids here)."""
    return int(spec.architecture["decoder_start_token_id"]) - 1


def languages(spec: ModelSpec) -> int:
    """How many languages the vocabulary has tokens of."""
    return int(spec.architecture["vocab_size"]) - 51_766 if spec.multilingual else 99


def prompt_ids(spec: ModelSpec) -> tuple[int, ...]:
    """Whisper's prompt: start, English and transcribe where there is a choice, no timestamps."""
    start, count = end_of_text(spec) + 1, languages(spec)
    spoken = (start + 1, start + count + 2) if spec.multilingual else ()
    return (start, *spoken, start + count + 6)


def special_tokens(spec: ModelSpec) -> list[str]:
    """Names of the special tokens from the end of text on, in the order of ids, no timestamps."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    spoken = list(LANGUAGES)[: languages(spec)]
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nocaptions")
    names = ("endoftext", "startoftranscript", *spoken, *tasks, "notimestamps")
    return [f"<|{name}|>" for name in names]


def example_features(folder: Path) -> NDArray[np.float32]:
    """Whisper's features of ``example_audio``, ``[1, mels, frames]``.

    ``folder``: has the extractor.
    """
    from transformers import AutoFeatureExtractor

    extractor = AutoFeatureExtractor.from_pretrained(str(folder))
    extracted = extractor([example_audio()], sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")
    return extracted["input_features"]  # type: ignore[no-any-return]


def transformers_logits(
    folder: Path, features: NDArray[np.float32], tokens: Sequence[int]
) -> tuple[NDArray[np.float32], int]:
    """Logits ``[tokens, vocabulary]`` in float32 after each of ``tokens``, and parameters.

    They are those of transformers' Whisper with the weights in ``folder``.
    """
    import torch
    from transformers import WhisperForConditionalGeneration

    network = WhisperForConditionalGeneration.from_pretrained(
        str(folder), dtype=torch.float32, weights_only=True
    ).eval()
    with torch.no_grad():
        ids = torch.tensor([list(tokens)])
        logits = network(input_features=torch.from_numpy(features), decoder_input_ids=ids).logits[0]
    return logits.numpy(), sum(parameter.numel() for parameter in network.parameters())


@dataclass(frozen=True)
class Compared:
    """How an engine compares with transformers.

    ``difference``: mean absolute difference of log-probabilities.
    ``parameters``: of the model in transformers.
    """

    difference: float
    parameters: int


def check_log_probabilities(
    folder: Path, spec: ModelSpec, tokens: Sequence[int], computed: Sequence[float]
) -> Compared:
    """How far an engine's log-probabilities are from those of transformers.

    ``tokens``: what the engine decoded from ``example_audio``.
    ``computed``: their log-probabilities, among text and end of text.
    The difference is infinite when nothing was decoded.
    """
    end, prompt = end_of_text(spec), prompt_ids(spec)
    logits, parameters = transformers_logits(folder, example_features(folder), [*prompt, *tokens])
    if not tokens:
        return Compared(float("inf"), parameters)
    rows = logits[len(prompt) - 1 : -1, : end + 1].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    wanted = rows[range(len(tokens)), list(tokens)] - np.log(np.exp(rows).sum(axis=1))
    return Compared(float(np.abs(wanted - np.array(computed)).mean()), parameters)
