"""Clips too short for a network, in every engine: the text of the clip with silence after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import exports, networks
from support.fakes import noise

from asr_scaling.core.workload import Utterance
from asr_scaling.engine._shared.short_clips import least_samples, padded
from asr_scaling.engine.transformers import Transformers
from asr_scaling.model import transformers_objects
from asr_scaling.model.spec import load_spec

LENGTHS = (1, 10, 159, 399, 400, 720, 1600)


def clip(samples: int, silence: int = 0) -> Utterance:
    """So many samples of noise, and of silence after it."""
    whole = noise(0.2, f"clip of {samples}").audio[:samples]
    return Utterance(f"clip of {samples}", np.pad(whole, (0, silence)), "the")


@pytest.mark.parametrize(
    ("model", "samples"),
    [
        ("wav2vec2", 400),
        ("wav2vec2_conformer", 400),
        ("hubert_large", 400),
        ("moonshine_tiny", 895),
        ("moonshine_base", 895),
        ("parakeet_ctc", 320),
        ("parakeet_tdt", 320),
        ("whisper_tiny", 320),
    ],
)
def test_what_each_model_needs(model: str, samples: int):
    spec = load_spec(model)
    config = transformers_objects.configuration(spec)
    assert least_samples(config, transformers_objects.feature_extractor(spec)) == samples


def test_only_short_rows_are_padded():
    rows = padded([np.ones(3, np.float32), np.ones(5, np.float32)], 4)
    assert [row.tolist() for row in rows] == [[1, 1, 1, 0], [1] * 5]


def same_text(engine: Any, spec: Any, least: int) -> None:
    """Each clip alone, and all beside a longer one, are transcribed as if silence followed them."""
    for length in LENGTHS:
        alone, _ = networks.transcribed(engine, spec, [clip(length)])
        by_hand, _ = networks.transcribed(engine, spec, [clip(length, max(0, least - length))])
        assert alone.texts == by_hand.texts, length
        assert alone.audio_s == (length / 16_000,)
    clips = [clip(length) for length in LENGTHS]
    together, _ = networks.transcribed(engine, spec, [*clips, noise(1.0, "long")])
    assert len(together.texts) == len(clips) + 1
    assert all(count >= 0 for count in together.tokens)


@pytest.mark.parametrize(
    ("make", "least"), [(networks.ctc, 400), (networks.moonshine, 895), (networks.whisper, 0)]
)
def test_transformers(make: Callable[[], Any], least: int):
    same_text(Transformers(), make(), least)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_exported_graphs(name: str):
    pytest.importorskip(name)
    module = pytest.importorskip(f"asr_scaling.engine.{name}")
    engine = {"onnxruntime": "OnnxRuntime", "openvino": "OpenVino"}[name]
    same_text(getattr(module, engine)(), exports.ctc(), 400)
