"""What the tests of engines that run exported graphs share: small models and a call on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Transcription
from support import networks
from support.fakes import Listener

WAV2VEC2 = networks.WAV2VEC2 | {
    "num_hidden_layers": 1,
    "feat_extract_norm": "layer",  # else random weights say the same of every frame
    "do_stable_layer_norm": True,
}


def whisper(**changes: Any) -> ModelSpec:
    return networks.whisper(**({"multilingual": True} | changes))


def ctc(model_type: str = "wav2vec2", **changes: Any) -> ModelSpec:
    return networks.ctc(model_type, **({"architecture": WAV2VEC2} | changes))


def transcribe(
    engine: Any, spec: ModelSpec, seconds: Sequence[float]
) -> tuple[Transcription, Listener]:
    return networks.transcribed(engine, spec, networks.noises(seconds))
