"""Clips of any length, alone and beside others: a text for each, and numbers that are numbers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from support import networks
from support.fakes import FakeDevice, noise
from support.fuzzing import cases

from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine.transformers import Transformers

MODELS = {"ctc": networks.ctc, "moonshine": networks.moonshine}
LENGTHS = st.lists(st.integers(1, 1800), min_size=1, max_size=4)


@cache
def loaded(name: str) -> Any:
    return Transformers().load(MODELS[name](), FakeDevice())


@pytest.fixture(autouse=True, scope="module")
def models() -> None:
    """Both are loaded before the clock of the first case runs."""
    for model in MODELS:
        loaded(model)


@cases("short clips", model=st.sampled_from(sorted(MODELS)), lengths=LENGTHS)
def test_clips_of_a_few_samples(model: str, lengths: list[int]):
    speech = noise(0.2, "u").audio
    clips = [Utterance(f"u{i}", np.array(speech[:n]), "the") for i, n in enumerate(lengths)]
    got = loaded(model).transcribe(AudioBatch(tuple(clips)), NullProbe())
    assert len(got.texts) == len(lengths)
    assert got.audio_s == pytest.approx([n / 16_000 for n in lengths])
