"""Whisper's greedy decoding as transformers does it, read from the configuration that comes with the weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine._onnx.networks import FORBIDDEN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Policy:
    """``first``, ``later``: added to the logits of the first token and of all others ``[vocabulary]``.

    ``prompt``: tokens that every row begins with. ``end``: the end of text. ``longest``: tokens that may follow.
    """

    prompt: tuple[int, ...]
    end: int
    longest: int
    first: NDArray[np.float32]
    later: NDArray[np.float32]


def load_policy(spec: ModelSpec, folder: Path | None) -> Policy:
    """The prompt (English, transcribe, no timestamps) and the tokens that the generation config in ``folder`` forbids;
    for random weights the prompt's ids by Whisper's layout of the vocabulary (openai/whisper, tokenizer.py)."""
    import numpy as np

    config = model_config(spec, folder)
    first, later = np.zeros(config.vocab_size, np.float32), np.zeros(config.vocab_size, np.float32)
    spoken: tuple[int, ...] = ()
    if folder is None:
        start = config.decoder_start_token_id
        languages = config.vocab_size - 51_766 if spec.multilingual else 99
        if spec.multilingual:
            spoken = (start + 1, start + languages + 2)
        prompt, end = (start, *spoken, start + languages + 6), start - 1
    else:
        from transformers import GenerationConfig

        said = GenerationConfig.from_pretrained(str(folder))
        if spec.multilingual:
            spoken = (said.lang_to_id["<|en|>"], said.task_to_id["transcribe"])
        prompt, end = (
            (said.decoder_start_token_id, *spoken, said.no_timestamps_token_id),
            said.eos_token_id,
        )
        later[list(said.suppress_tokens or ())] = FORBIDDEN
        first[:] = later
        first[list(said.begin_suppress_tokens or ())] = FORBIDDEN
    return Policy(prompt, end, config.max_target_positions - len(prompt), first, later)


def model_config(spec: ModelSpec, folder: Path | None) -> Any:
    """The transformers configuration of the weights in ``folder``, of ``spec`` where they are random."""
    from asr_scaling.model import build

    if folder is None:
        return build.configuration(spec)
    from transformers import AutoConfig

    return build.pretrained(AutoConfig, folder, spec)
