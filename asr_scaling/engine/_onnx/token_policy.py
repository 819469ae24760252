"""Whisper's greedy decoding as transformers does it, read from the model's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine._onnx.networks import FORBIDDEN
from asr_scaling.model.whisper import end_of_text, prompt_ids


@dataclass(frozen=True)
class Policy:
    """Which tokens are fed and which may be chosen.

    ``prompt``: tokens that every row begins with.
    ``end``: the end of text.
    ``longest``: how many tokens may follow the prompt.
    ``first``, ``later``: ``[vocabulary]``, added to the logits of the first token and of all
    others.
    """

    prompt: tuple[int, ...]
    end: int
    longest: int
    first: NDArray[np.float32]
    later: NDArray[np.float32]


def load_policy(spec: ModelSpec, folder: Path | None) -> Policy:
    """The policy of the weights in ``folder``: English, transcribe, no timestamps.

    ``folder``: None for random weights, which have the ids of Whisper's vocabulary and forbid no
    token.
    """
    config = model_config(spec, folder)
    later = np.zeros(config.vocab_size, np.float32)
    first = later.copy()
    if folder is None:
        prompt, end = prompt_ids(spec), end_of_text(spec)
    else:
        from transformers import GenerationConfig

        generation = GenerationConfig.from_pretrained(str(folder))
        spoken: tuple[int, ...] = ()
        if spec.multilingual:
            spoken = (generation.lang_to_id["<|en|>"], generation.task_to_id["transcribe"])
        start = generation.decoder_start_token_id
        prompt = (start, *spoken, generation.no_timestamps_token_id)
        end = generation.eos_token_id
        later[list(generation.suppress_tokens or ())] = FORBIDDEN
        first[:] = later
        first[list(generation.begin_suppress_tokens or ())] = FORBIDDEN
    return Policy(prompt, end, config.max_target_positions - len(prompt), first, later)


def model_config(spec: ModelSpec, folder: Path | None) -> Any:
    """The transformers configuration of the weights in ``folder``; of ``spec`` for random ones."""
    from asr_scaling.model import transformers_objects

    if folder is None:
        return transformers_objects.configuration(spec)
    from transformers import AutoConfig

    return transformers_objects.pretrained(AutoConfig, folder, spec)
