"""Models of two layers with random weights, and a call on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine.transformers import Transformers
from support.fakes import FakeDevice, Listener, make_spec, noise

WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
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
MOONSHINE = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    **{
        f"{side}_num_{what}": 2
        for side in ("encoder", "decoder")
        for what in ("hidden_layers", "attention_heads")
    },
    **{f"{side}_num_key_value_heads": 2 for side in ("encoder", "decoder")},
    "max_position_embeddings": 194,
    "pad_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
WAV2VEC2 = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "pad_token_id": 0,
}
SAMPLES = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "sampling_rate": 16_000,
    "return_attention_mask": True,
}


def whisper(multilingual: bool = False, **changes: Any) -> ModelSpec:
    """A Whisper that says one token a second; ``architecture`` is merged into its sizes."""
    sizes = WHISPER | (MULTILINGUAL if multilingual else ENGLISH) | changes.pop("architecture", {})
    options = {"architecture": sizes, "multilingual": multilingual, "weights": "random"}
    options |= {
        "features": {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
    }
    return make_spec(**(options | {"window_s": 30.0, "tokens_per_s": 1.0} | changes))


def whisper_multilingual() -> ModelSpec:
    return whisper(multilingual=True)


def moonshine() -> ModelSpec:
    options = {
        "family": "moonshine",
        "model_type": "moonshine",
        "architecture": MOONSHINE,
        "features": SAMPLES,
    }
    return make_spec(**options, tokens_per_s=1.0, weights="random")


def ctc(model_type: str = "wav2vec2", **changes: Any) -> ModelSpec:
    options = {"family": "ctc", "model_type": model_type, "architecture": WAV2VEC2}
    return make_spec(**(options | {"features": SAMPLES, "weights": "random"} | changes))


def transcribed(
    engine: Any, spec: ModelSpec, utterances: Sequence[Utterance]
) -> tuple[Transcription, Listener]:
    """One call of an engine, and what it told its probe."""
    listener = Listener()
    engine.check(spec)
    system = engine.load(spec, FakeDevice())
    try:
        return system.transcribe(AudioBatch(tuple(utterances)), listener), listener
    finally:
        system.close()


def noises(seconds: Sequence[float]) -> list[Utterance]:
    return [noise(s, f"u{i}") for i, s in enumerate(seconds)]


def transcribe(
    spec: ModelSpec, seconds: Sequence[float], **options: Any
) -> tuple[Transcription, Listener]:
    return transcribed(Transformers(**options), spec, noises(seconds))


ENCODER_DECODER = [whisper, whisper_multilingual, moonshine]
