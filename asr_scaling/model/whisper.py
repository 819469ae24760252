"""Whisper's vocabulary, and what transformers computes, which every engine is checked against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.language import language_code
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.errors import WeightsError
from asr_scaling.model.convert import example_audio
from asr_scaling.model.transformers_objects import all_tensors

CHECKED = 8
"""Tokens whose logits are compared."""


def end_of_text(spec: ModelSpec) -> int:
    """The first id that is no text (openai/whisper, tokenizer.py, as for all ids here)."""
    return int(spec.architecture["decoder_start_token_id"]) - 1


def languages(spec: ModelSpec) -> int:
    """How many languages the vocabulary has tokens of."""
    return max(1, int(spec.architecture["vocab_size"]) - 51_766) if spec.multilingual else 99


@dataclass(frozen=True)
class Prompts:
    """Whisper's prompts: start, language and task where there is a choice, no timestamps.

    ``start``, ``no_timestamps``: ids of these tokens.
    ``transcribe``: id of the task's token, None for a model of one language and one task.
    ``languages``: code of a language (``core/language.py``) → id of its token.
    """

    start: int
    no_timestamps: int
    transcribe: int | None = None
    languages: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_vocabulary(cls, spec: ModelSpec) -> Prompts:
        """By the order of the special tokens, for random weights."""
        return cls.of_tokens(spec, special_ids(spec))

    @classmethod
    def of_config(cls, spec: ModelSpec, generation: Any) -> Prompts:
        """By the generation configuration that comes with the weights.

        Raises WeightsError when that of a multilingual model has no languages.
        """
        tokens = {
            "<|startoftranscript|>": generation.decoder_start_token_id,
            "<|notimestamps|>": generation.no_timestamps_token_id,
        }
        if spec.multilingual:
            spoken = getattr(generation, "lang_to_id", None)
            if not spoken:
                raise WeightsError(
                    f"The generation_config.json of '{spec.name}' has no lang_to_id: copy that of "
                    f"{spec.hub_id} beside the weights."
                )
            tasks = {f"<|{task}|>": number for task, number in generation.task_to_id.items()}
            tokens |= {**spoken, **tasks}
        return cls.of_tokens(spec, tokens)

    @classmethod
    def of_tokens(cls, spec: ModelSpec, tokens: Mapping[str, int]) -> Prompts:
        """``tokens``: name → id, of the special tokens at least."""
        start, without = tokens["<|startoftranscript|>"], tokens["<|notimestamps|>"]
        if not spec.multilingual:
            return cls(start, without)
        spoken = {str(language_code(own)): tokens[f"<|{own}|>"] for own in _own_codes(tokens)}
        return cls(start, without, tokens["<|transcribe|>"], spoken)

    def of(self, language: str | None) -> tuple[int, ...]:
        """The prompt for ``language``, which only a model with no choice ignores.

        Raises WeightsError when the weights have no token for it.
        """
        if self.transcribe is None:
            return (self.start, self.no_timestamps)
        if language is None or language not in self.languages:
            raise WeightsError(
                f"These weights have no token for language={language}, only for "
                f"{', '.join(self.languages)}."
            )
        return (self.start, self.languages[language], self.transcribe, self.no_timestamps)

    @property
    def no_speech(self) -> int:
        """Id of the token for "no speech" (openai/whisper, tokenizer.py)."""
        return self.no_timestamps - 1

    @property
    def tokens(self) -> int:
        """How many tokens a prompt has."""
        return 2 if self.transcribe is None else 4

    def recognised(self, token: int) -> str:
        """The language whose token is ``token``."""
        return next(code for code, number in self.languages.items() if number == token)


def _own_codes(tokens: Mapping[str, int]) -> list[str]:
    """Whisper's codes of the languages among the names of ``tokens``."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return [own for own in LANGUAGES if f"<|{own}|>" in tokens]


def prompt_ids(spec: ModelSpec) -> tuple[int, ...]:
    """The prompt for English."""
    return Prompts.of_vocabulary(spec).of("en")


def special_tokens(spec: ModelSpec) -> list[str]:
    """Names of the special tokens from the end of text on, in the order of ids, no timestamps."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    spoken = list(LANGUAGES)[: languages(spec)]
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nocaptions")
    names = ("endoftext", "startoftranscript", *spoken, *tasks, "notimestamps")
    return [f"<|{name}|>" for name in names]


def special_ids(spec: ModelSpec) -> dict[str, int]:
    """The special tokens and their ids in the vocabulary of ``spec``."""
    first = end_of_text(spec)
    return {name: first + i for i, name in enumerate(special_tokens(spec))}


def language_ids(spec: ModelSpec) -> dict[str, int]:
    """The tokens of languages and their ids, as ``lang_to_id`` of a generation configuration."""
    names = special_tokens(spec)[2 : 2 + languages(spec)] if spec.multilingual else []
    ids = special_ids(spec)
    return {name: ids[name] for name in names}


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

    load = partial(
        WhisperForConditionalGeneration.from_pretrained, dtype=torch.float32, weights_only=True
    )
    network = all_tensors(load, folder).eval()
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
