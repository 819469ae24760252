"""What the tests of engines that run exported graphs share: small models, a converted cache for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import AudioBatch
from support.fakes import FakeDevice, Listener, make_spec, noise

WHISPER = {
    "vocab_size": 51_865,
    "pad_token_id": 50_257,
    "bos_token_id": 50_257,
    "eos_token_id": 50_257,
    "decoder_start_token_id": 50_258,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "max_target_positions": 448,
}
WAV2VEC2 = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16] * 7,
    "feat_extract_norm": "layer",  # else random weights say the same of every frame
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "pad_token_id": 0,
}
SAMPLES = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "sampling_rate": 16_000,
    "return_attention_mask": True,
}


def whisper(**changes: Any) -> ModelSpec:
    options = {"architecture": WHISPER, "multilingual": True, "window_s": 30.0, "tokens_per_s": 1.0}
    options |= {
        "features": {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
    }
    return make_spec(**(options | {"weights": "random"} | changes))


def ctc(model_type: str = "wav2vec2", **changes: Any) -> ModelSpec:
    options = {
        "family": "ctc",
        "model_type": model_type,
        "architecture": WAV2VEC2,
        "features": SAMPLES,
    }
    return make_spec(**(options | {"weights": "random"} | changes))


def transcribe(
    engine: Any, spec: ModelSpec, seconds: Sequence[float]
) -> tuple[Transcription, Listener]:
    listener = Listener()
    engine.check(spec)
    system = engine.load(spec, FakeDevice())
    try:
        return system.transcribe(
            AudioBatch(tuple(noise(s, f"u{i}") for i, s in enumerate(seconds))), listener
        ), listener
    finally:
        system.close()
