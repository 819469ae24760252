"""Fallback with real weights: every engine gives the same probabilities, and draws by its seed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from support.networks import transcribed
from support.small_whisper import needs_speech, pretrained, speech

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.model_spec import load_spec
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.whisper_cpp import WhisperCpp

pytestmark = [pytest.mark.slow, needs_speech]
LOOP = partial(Transformers, decode="loop")
ENGINES = (LOOP, FasterWhisper, OnnxRuntime, OpenVino, WhisperCpp)
NEVER_SURE = Decoding(temperatures=(0.0, 0.5), log_probability=-1e-6, no_speech=None, best_of=2)
ALWAYS_SILENT = Decoding(temperatures=(0.0, 0.5), log_probability=-1e-6, no_speech=0.0)
OWN_DICE = (FasterWhisper, WhisperCpp)
"""Engines that can't be told to draw the same again."""


@pytest.fixture
def means(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every mean log-probability that the rule is asked about."""
    seen: list[float] = []

    def improbable(rule: Decoding, mean: float) -> bool:
        seen.append(mean)
        return True

    monkeypatch.setattr(Decoding, "improbable", improbable)
    return seen


def heard(engine: Any, **options: Any) -> Any:
    spec = pretrained(load_spec("whisper_tiny_en"))
    return transcribed(engine(**options), spec, speech(2))[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_probabilities_are_those_of_transformers(engine: Any, means: list[float]):
    wanted = heard(Transformers, decoding=NEVER_SURE)
    known = means[:2]
    means.clear()
    done = heard(engine, decoding=NEVER_SURE)
    tolerance = 0.1 if engine is WhisperCpp else 0.02
    assert means[:2] == pytest.approx(known, abs=tolerance)
    assert wanted.temperatures == done.temperatures == (0.5, 0.5)
    assert wanted.decodings == done.decodings == (2, 2)
    words = [set(text.lower().split()) for text in (*wanted.texts, *done.texts)]
    assert len(words[0] & words[2]) > len(words[0]) / 2
    assert len(words[1] & words[3]) > len(words[1]) / 2


def test_beams_are_as_probable_by_one_pass_as_by_the_search(means: list[float]):
    beams = Decoding(beam=3, temperatures=(0.0, 0.5), no_speech=None, best_of=1)
    heard(Transformers, decoding=beams)
    known = means[:2]
    means.clear()
    heard(OnnxRuntime, decoding=beams)
    assert means[:2] == pytest.approx(known, abs=0.02)


@pytest.mark.parametrize("engine", [e for e in (Transformers, *ENGINES) if e not in OWN_DICE])
def test_the_same_seed_draws_the_same_text(engine: Any):
    first, again = (heard(engine, decoding=NEVER_SURE) for _ in range(2))
    assert first.texts == again.texts


@pytest.mark.parametrize("engine", [Transformers, *ENGINES])
def test_what_is_taken_for_silence_has_no_text(engine: Any):
    done = heard(engine, decoding=ALWAYS_SILENT)
    assert (done.texts, done.tokens, done.decodings) == (("", ""), (0, 0), (1, 1))
