"""The shapes of FunASR's networks, from which folders with random weights are made.

Recognisers have theirs in ``conf/model``; the modules around them have theirs here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import ConfigError
from asr_scaling.model.transformers_objects import plain

FAMILIES = ("paraformer", "sensevoice")
"""Families of models that only FunASR runs."""
FRAME_SAMPLES = 400
"""Samples of the first frame of features, 25 ms; the voice activity fails on fewer."""


@dataclass(frozen=True)
class Layout:
    """The shape of one network.

    ``name``: of the folder that is made of it.
    ``network``: FunASR's class of the network.
    ``config``: what its ``config.yaml`` says beside that.
    ``vocabulary``: number of tokens; 0 where there are none.
    ``tokens_per_s``: tokens that random weights find in a second of speech, where the network
    decides how many they are; None where it does not.
    """

    name: str
    network: str
    config: Mapping[str, Any]
    vocabulary: int = 0
    tokens_per_s: float | None = field(default=None)

    @property
    def frame_s(self) -> float:
        """Seconds of audio in a frame of the network."""
        frontend = self.config["frontend_conf"]
        return float(frontend["frame_shift"]) * int(frontend["lfr_n"]) / 1000


def layout_of(spec: ModelSpec) -> Layout:
    """The shape of a recogniser.

    Raises ConfigError when its YAML lacks a part of it.
    """
    config = plain(spec.architecture)
    features = plain(spec.features)
    try:
        vocabulary = int(config.pop("vocab_size"))
        frontend = {"frontend": features.pop("frontend"), "frontend_conf": features}
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"model.architecture of '{spec.name}' needs vocab_size, and model.features frontend: "
            "copy a YAML of conf/model that engine=funasr runs."
        ) from error
    return Layout(spec.name, spec.model_type, config | frontend, vocabulary, spec.tokens_per_s)


_SANM = {
    "dropout_rate": 0.1,
    "positional_dropout_rate": 0.1,
    "attention_dropout_rate": 0.0,
    "input_layer": "pe",
    "pos_enc_class": "SinusoidalPositionEncoder",
    "normalize_before": True,
    "kernel_size": 11,
    "sanm_shfit": 0,
    "selfattention_layer_type": "sanm",
    "padding_idx": 0,
}
"""Options of its self-attention with a memory; the third from the end is spelt as FunASR does."""

FSMN_VAD = Layout(
    "fsmn_vad",
    "FsmnVADStreaming",
    {
        "model_conf": {"max_end_silence_time": 800, "max_single_segment_time": 60000},
        "encoder": "FSMN",
        "encoder_conf": {
            "input_dim": 400,
            "input_affine_dim": 140,
            "fsmn_layers": 4,
            "linear_dim": 250,
            "proj_dim": 128,
            "lorder": 20,
            "rorder": 0,
            "lstride": 1,
            "rstride": 0,
            "output_affine_dim": 140,
            "output_dim": 248,
        },
        # the one that streams: the network refuses the other
        "frontend": "WavFrontendOnline",
        "frontend_conf": {
            "fs": 16000,
            "window": "hamming",
            "n_mels": 80,
            "frame_length": 25,
            "frame_shift": 10,
            "dither": 0.0,
            "lfr_m": 5,
            "lfr_n": 1,
        },
    },
)
"""fsmn-vad, 0.43 M parameters: the template of fsmn_vad_streaming in its repository."""

CT_PUNC = Layout(
    "ct_punc",
    "CTTransformer",
    {
        "model_conf": {
            "ignore_id": 0,
            "embed_unit": 516,
            "att_unit": 516,
            "dropout_rate": 0.1,
            "punc_list": ["<unk>", "_", "，", "。", "？", "、"],
            "sentence_end_id": 3,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": {
            "input_size": 516,
            "output_size": 516,
            "attention_heads": 12,
            "linear_units": 2048,
            "num_blocks": 12,
            **_SANM,
        },
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>"},
    },
    vocabulary=471067,
)
"""ct-punc, 281 M parameters, of which 243 M are the table of 471067 words of 516 values: the sizes
of iic/punc_ct-transformer_cn-en-common-vocab471067-large, which its authors count as 290 M and
whose file has 1.13 GB. The number of heads changes no size."""

CAMPPLUS = Layout(
    "campplus",
    "CAMPPlus",
    {
        "model_conf": {
            "feat_dim": 80,
            "embedding_size": 192,
            "growth_rate": 32,
            "bn_size": 4,
            "init_channels": 128,
            "config_str": "batchnorm-relu",
            "memory_efficient": True,
            "output_level": "segment",
        },
        "frontend": "WavFrontend",
        "frontend_conf": {"fs": 16000},
    },
)
"""cam++, 6.85 M parameters: the template of campplus in its repository."""
