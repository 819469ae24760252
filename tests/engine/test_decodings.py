"""Every engine with every decoding and optimisation: it works, or one sentence refuses it."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.choices import chosen
from support.fakes import noise
from support.networks import ctc, moonshine, transcribed
from support.refusals import refusal
from support.small_whisper import whisper

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.decoding import Decoding
from asr_scaling.core.ports import SystemSpec
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.whisper_cpp import WhisperCpp
from asr_scaling.errors import AsrScalingError, ConfigError, EngineError
from asr_scaling.util.config_dir import conf_dir, read_yaml

ENGINES = (Transformers, FasterWhisper, OnnxRuntime, OpenVino, WhisperCpp)
DECODINGS = ("greedy", "beam", "fallback", "beam_fallback")
OPTIMISATIONS = ("", *sorted(path.stem for path in Path(conf_dir(), "optimisation").glob("*.yaml")))


def decoding(name: str) -> Decoding:
    options = read_yaml(conf_dir() / "decoding" / f"{name}.yaml")
    return Decoding(**{key: value for key, value in options.items() if key != "_target_"})


def composed(engine: Any, name: str, optimisation: str = "", **options: Any) -> SystemSpec:
    """The system, or what refuses it."""
    names = [optimisation] if optimisation else []
    parts = (whisper(), engine(**options), Cpu(), Fixed(1), chosen(*names), decoding(name))
    return SystemSpec(*parts).composed()


TWO = (noise(3.0), noise(5.0, "v"))
EVERY = list(itertools.product(ENGINES, DECODINGS, OPTIMISATIONS))


@pytest.mark.parametrize(("engine", "name", "optimisation"), EVERY)
def test_the_engine_is_told_or_one_sentence_refuses(engine: Any, name: str, optimisation: str):
    """What greedy decoding allows is told the decoding, or refused by its name."""
    if refusal(composed, engine, "greedy", optimisation) is not None:
        return  # whatever the decoding
    said = refusal(composed, engine, name, optimisation)
    if said is None:
        system: Any = composed(engine, name, optimisation)
        assert system.engine.decoding == decoding(name)
    else:
        assert f"decoding={name}" in said
        assert said.count(". ") == 0


REFUSED = (
    ("beam", "decode_loop"),
    ("beam", "dynamic_window"),
    ("beam_fallback", "dynamic_window"),
    ("beam", "draft"),
    ("fallback", "draft"),
)


@pytest.mark.parametrize(("name", "optimisation"), REFUSED)
def test_what_the_own_loop_and_a_draft_can_not_do(name: str, optimisation: str):
    with pytest.raises(ConfigError, match=rf"decoding={name}"):
        composed(Transformers, name, optimisation)


@pytest.mark.parametrize("options", [{"compile": True}, {"cuda_graph": True}])
def test_a_step_that_is_compiled_or_captured_gives_no_probabilities(options: dict[str, Any]):
    composed(Transformers, "greedy", decode="loop", **options)
    with pytest.raises(ConfigError, match="needs probabilities and samples"):
        composed(Transformers, "fallback", decode="loop", **options)


@pytest.mark.parametrize("name", ["beam", "fallback"])
def test_a_model_of_one_pass_has_neither(name: str):
    for engine in (Transformers, OnnxRuntime, OpenVino):
        with pytest.raises(AsrScalingError, match="decoded in one pass, without beams and temp"):
            engine(decoding=decoding(name)).check(ctc())


def test_the_rule_is_whispers():
    Transformers(decoding=decoding("beam")).check(moonshine())
    with pytest.raises(ConfigError, match="is no Whisper: choose decoding=greedy or beam"):
        Transformers(decoding=decoding("fallback")).check(moonshine())


@pytest.mark.parametrize("option", ["beam", "best_of"])
def test_whisper_cpp_decodes_eight_texts_at_most(option: str):
    WhisperCpp(decoding=Decoding(**{option: 8}))
    with pytest.raises(ConfigError, match=rf"decoding\.{option}=9 can't work"):
        WhisperCpp(decoding=Decoding(**{option: 9}))


@pytest.mark.parametrize("engine", ENGINES)
def test_longer_audio_than_a_window_is_refused_where_weights_are_real(
    engine: Any, monkeypatch: pytest.MonkeyPatch
):
    places: dict[str, Path | None] = {"folder": Path("real")}
    for module in ("_shared.decoding_options", "_onnx.files"):
        resolved = f"asr_scaling.engine.{module}.resolve"
        monkeypatch.setattr(resolved, lambda spec: SimpleNamespace(**places))
    made = engine(decoding=decoding("fallback"))
    made.check_length(whisper(), 30.0)
    with pytest.raises(EngineError, match="one window of 30 s"):
        made.check_length(whisper(), 30.1)
    places["folder"] = None
    made.check_length(whisper(), 45.0)


@pytest.mark.parametrize("name", DECODINGS)
@pytest.mark.usefixtures("one_thread", "own_cache")
class TestRandomWeights:
    """Their texts mean nothing: they are decoded once, by as many beams."""

    @pytest.mark.parametrize("decode", ["library", "loop"])
    def test_transformers(self, name: str, decode: str):
        if decode == "loop" and "beam" in name:
            pytest.skip("refused, as tested above")
        engine = Transformers(decode=decode, decoding=decoding(name))
        done, _ = transcribed(engine, whisper(), TWO)
        assert len(done.texts) == 2
        assert all(n == 1 for n in done.decodings)

    @pytest.mark.parametrize("kind", [OnnxRuntime, FasterWhisper])
    def test_others(self, name: str, kind: Any):
        done, _ = transcribed(kind(decoding=decoding(name)), whisper(), TWO)
        assert done.decodings == (1, 1)
        assert done.tokens == tuple(whisper().planned_tokens(s) for s in (3.0, 5.0))
