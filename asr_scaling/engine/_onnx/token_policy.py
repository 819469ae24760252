"""Whisper's greedy decoding as transformers does it, read from the model's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine._onnx.networks import FORBIDDEN
from asr_scaling.model.whisper import Prompts, end_of_text


@dataclass(frozen=True)
class Policy:
    """Which tokens are fed and which may be chosen.

    ``prompts``: tokens that rows begin with, by language.
    ``end``: the end of text.
    ``longest``: how many tokens may follow the prompt.
    ``first``, ``later``: ``[vocabulary]``, added to the logits of the first token and of all
    others.
    """

    prompts: Prompts
    end: int
    longest: int
    first: NDArray[np.float32]
    later: NDArray[np.float32]

    @property
    def spoken(self) -> NDArray[np.float32]:
        """``[vocabulary]``, forbids all but the tokens of languages."""
        forbidden = np.full_like(self.later, FORBIDDEN)
        forbidden[list(self.prompts.languages.values())] = 0
        return forbidden


def load_policy(spec: ModelSpec, folder: Path | None) -> Policy:
    """The policy of the weights in ``folder``: transcribe, no timestamps.

    ``folder``: None for random weights, which have the ids of Whisper's vocabulary and forbid no
    token.
    """
    config = model_config(spec, folder)
    later = np.zeros(config.vocab_size, np.float32)
    first = later.copy()
    if folder is None:
        prompts, end = Prompts.of_vocabulary(spec), end_of_text(spec)
    else:
        from transformers import GenerationConfig

        generation = GenerationConfig.from_pretrained(str(folder))
        prompts, end = Prompts.of_config(spec, generation), generation.eos_token_id
        later[list(generation.suppress_tokens or ())] = FORBIDDEN
        first[:] = later
        first[list(generation.begin_suppress_tokens or ())] = FORBIDDEN
    return Policy(prompts, end, config.max_target_positions - prompts.tokens, first, later)


def model_config(spec: ModelSpec, folder: Path | None) -> Any:
    """The transformers configuration of the weights in ``folder``; of ``spec`` for random ones."""
    from asr_scaling.model import transformers_objects

    if folder is None:
        return transformers_objects.configuration(spec)
    from transformers import AutoConfig

    return transformers_objects.pretrained(AutoConfig, folder, spec)
