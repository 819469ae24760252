"""FunASR's networks with random weights, small enough for a test of a second."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.model.funasr_folders import write_random
from asr_scaling.model.funasr_layouts import CAMPPLUS, CT_PUNC, FSMN_VAD, Layout

needs_funasr = pytest.mark.skipif(
    find_spec("funasr") is None, reason="pip install 'asr-scaling[funasr]'"
)
ENCODER = {"output_size": 32, "attention_heads": 2, "linear_units": 64, "num_blocks": 2}
DECODER = {"attention_heads": 2, "linear_units": 64, "num_blocks": 2}
TOKENS_PER_S = 4.0


def paraformer(**changes: Any) -> ModelSpec:
    """Two blocks a side; four tokens a second."""
    spec = load_spec("paraformer_zh", weights="random", tokens_per_s=TOKENS_PER_S)
    sizes: dict[str, Any] = {**spec.architecture, "vocab_size": 60}
    for part, own in {
        "encoder_conf": ENCODER,
        "decoder_conf": {**DECODER, "att_layer_num": 2},
        "seaco_decoder_conf": DECODER,
        "predictor_conf": {"idim": 32},
        "model_conf": {"inner_dim": 32},
    }.items():
        sizes[part] = {**sizes[part], **own}
    return replace(spec, **{"name": "small", "architecture": sizes, **changes})


def sensevoice(**changes: Any) -> ModelSpec:
    """Two blocks and one."""
    spec = load_spec("sensevoice_small", weights="random")
    encoder = {**spec.architecture["encoder_conf"], **ENCODER, "tp_blocks": 1}
    sizes = {**spec.architecture, "vocab_size": 60, "encoder_conf": encoder}
    return replace(spec, **{"name": "small_sense", "architecture": sizes, **changes})


def _smaller(layout: Layout, vocabulary: int = 0, **parts: dict[str, Any]) -> Layout:
    config = {**layout.config, **{k: {**layout.config[k], **v} for k, v in parts.items()}}
    return replace(layout, config=config, vocabulary=vocabulary)


SMALL_PUNC = _smaller(
    CT_PUNC,
    40,
    model_conf={"embed_unit": 16, "att_unit": 16},
    encoder_conf={
        "input_size": 16,
        "output_size": 16,
        "attention_heads": 2,
        "linear_units": 32,
        "num_blocks": 1,
    },
)
SMALL_VOICES = _smaller(
    CAMPPLUS, model_conf={"growth_rate": 4, "bn_size": 2, "init_channels": 16, "embedding_size": 8}
)
SMALL_VAD = FSMN_VAD


def folder_of(layout: Layout, place: Path, seed: int = 1) -> str:
    """A folder as a user would have it, whose weights are random but are not said to be."""
    place.mkdir()
    write_random(layout, seed, place)
    return str(place)
