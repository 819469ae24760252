"""faster-whisper on a Whisper of two layers: options, refusals, decoding lengths, stages;
and on real weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.fakes import FakeDevice, altered, make_job, noise
from support.networks import transcribed
from support.small_whisper import ctc, needs_speech, pretrained, reference, speech, whisper

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError, OutOfMemoryError
from asr_scaling.measure.job import run
from asr_scaling.profiler.flops import Flops
from asr_scaling.profiler.latency import Latency

pytest.importorskip("ctranslate2", reason="pip install 'asr-scaling[faster_whisper]'")
from asr_scaling.engine.faster_whisper import _files as files

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")
BEAMS = Decoding(beam=2)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [("dtype", "float64"), ("dtype", "q8_0"), ("window_margin_s", -1)],
    )
    def test_refused(self, option: str, value: Any):
        with pytest.raises(ConfigError, match=rf"engine\.{option}.*{value}"):
            FasterWhisper(**{option: value})

    def test_a_model_that_is_no_whisper(self):
        with pytest.raises(EngineError, match="'toy' is a 'wav2vec2': use engine=transformers"):
            FasterWhisper().check(ctc())

    def test_without_its_packages(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(__import__("sys").modules, "ctranslate2", None)
        with pytest.raises(MissingExtraError, match=r"asr-scaling\[faster_whisper\]"):
            FasterWhisper().check(whisper())

    def test_arithmetic_that_the_device_does_not_have(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(
            "ctranslate2.get_supported_compute_types", lambda _: {"float32", "int8_float32"}
        )
        monkeypatch.setattr(
            files, "ctranslate2_files", lambda *_: pytest.fail("it was converted first")
        )
        with pytest.raises(EngineError, match="float16 on cpu: choose one of float32, int8"):
            FasterWhisper(dtype="float16").load(whisper(), FakeDevice())

    @pytest.mark.parametrize(
        ("dtype", "wanted"), [("float16", "float16"), ("int8", "int8_float16")]
    )
    def test_arithmetic_on_a_gpu(self, dtype: str, wanted: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(
            "ctranslate2.get_supported_compute_types", lambda _: {"float16", "int8_float16"}
        )
        device: Any = SimpleNamespace(kind="cuda", torch_name="cuda:0")
        assert FasterWhisper(dtype=dtype)._compute_type(device) == wanted

    def test_a_gpu_that_ctranslate2_does_not_see(self, monkeypatch: pytest.MonkeyPatch):
        def refuse(_: str) -> None:
            raise ValueError("no CUDA support")

        monkeypatch.setattr("ctranslate2.get_supported_compute_types", refuse)
        with pytest.raises(EngineError, match=r"no CUDA support.*use device=cpu"):
            FasterWhisper().load(whisper(), FakeDevice())


class TestRandomWeights:
    @pytest.mark.parametrize("multilingual", [False, True])
    def test_token_counts_are_the_planned_ones(self, multilingual: bool):
        done, listener = transcribed(
            FasterWhisper(), whisper(multilingual), (noise(4.0), noise(2.0))
        )
        assert done.tokens == (4, 2)
        assert done.steps == 5  # the last step would give the end of text
        assert listener.log == ["features", "encoder", "decoder", "text"]
        assert [len(text.split()) for text in done.texts] == [4, 2]

    def test_every_window_is_encoded(self):
        done, listener = transcribed(FasterWhisper(), whisper(), (noise(40.0), noise(1.0)))
        assert listener.stages == [*["features", "encoder", "decoder"] * 2, "text"]
        assert done.tokens == (40, 1)
        assert done.audio_s == (40.0, 1.0)

    def test_without_long_form_only_the_first_window_is_processed(self):
        done, listener = transcribed(FasterWhisper(long_form=False), whisper(), (noise(40.0),))
        assert listener.stages.count("encoder") == 1
        assert (done.tokens, done.audio_s) == ((30,), (30.0,))

    @pytest.mark.parametrize(
        "options",
        [
            {"decoding": BEAMS},
            {"dtype": "int8"},
            {"window_margin_s": 1.0},
            {"features": "device"},
        ],
    )
    def test_options_keep_the_length(self, options: dict[str, Any]):
        done, _ = transcribed(FasterWhisper(**options), whisper(), (noise(3.0),))
        assert done.tokens == (3,)
        assert done.again == 0

    def test_the_tokens_are_those_of_transformers(self):
        spec, audio = whisper(), (noise(5.0), noise(3.0))
        ours, theirs = (
            transcribed(FasterWhisper(), spec, audio)[0],
            transcribed(Transformers(), spec, audio)[0],
        )
        assert ours.texts == theirs.texts

    def test_facts(self):
        system = FasterWhisper(dtype="int8").load(whisper(), FakeDevice())
        facts = system.facts
        assert facts.random
        assert system.modules == {}
        assert facts.parameters == Transformers().load(whisper(), FakeDevice()).facts.parameters
        assert facts.parameters < facts.weights_bytes < 2 * facts.parameters
        assert facts.details["compute_type"] == "int8_float32"
        assert 1e-5 < facts.details["logits_difference"] < facts.details["logits_tolerance"]


class TestConversion:
    def test_logits_that_differ_are_refused(self, monkeypatch: pytest.MonkeyPatch):
        true = files.transformers_logits

        def shifted(*arguments: Any) -> Any:
            logits, parameters = true(*arguments)
            return np.roll(logits, 1, axis=1), parameters

        monkeypatch.setattr(files, "transformers_logits", shifted)
        with pytest.raises(
            EngineError, match=r"differ from transformers' by .* use another engine.dtype or engine"
        ):
            FasterWhisper(seed=3).load(whisper(), FakeDevice())

    def test_it_is_done_once(self, monkeypatch: pytest.MonkeyPatch):
        FasterWhisper().load(whisper(), FakeDevice())
        again = list[Any]()
        monkeypatch.setattr(files, "_convert", lambda *given: again.append(given))
        FasterWhisper(decoding=Decoding(beam=2)).load(whisper(), FakeDevice())
        assert again == []


class TestSystem:
    def test_closed_twice_and_then_used(self):
        system = FasterWhisper().load(whisper(), FakeDevice())
        system.close()
        system.close()
        with pytest.raises(EngineError, match="is closed"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_out_of_memory(self, monkeypatch: pytest.MonkeyPatch):
        system = FasterWhisper().load(whisper(), FakeDevice())

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("CUDA failed with error out of memory")

        monkeypatch.setattr("ctranslate2.models.Whisper.generate", fail)
        with pytest.raises(OutOfMemoryError, match=r"batch\.size"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_as_a_job(self):
        job = make_job(
            durations=(2.0,),
            model=whisper(),
            device=Cpu(threads=1),
            profiler={"latency": Latency(), "flops": Flops()},
        )
        record = run(altered(job, engine=FasterWhisper()))
        assert record.status == "ok", record.reason
        assert record.system["engine"] == "faster_whisper"
        assert "CTranslate2" in record.unavailable["latency/first_token_s"]
        assert "no torch modules" in record.unavailable["flops/encoder"]


@pytest.mark.slow
@needs_speech
class TestRealWeights:
    @pytest.mark.parametrize(
        "options", [{}, {"dtype": "int8"}, {"window_margin_s": 8.0, "features": "device"}]
    )
    def test_texts_are_those_of_transformers_nearly(self, options: dict[str, Any]):
        import jiwer

        spec, found = pretrained(load_spec("whisper_tiny_en")), speech(4)
        ours, theirs = (
            transcribed(FasterWhisper(**options), spec, found)[0],
            reference(spec.name, 4),
        )
        assert jiwer.wer(list(theirs.texts), list(ours.texts)) < 0.05
        assert ours.steps == max(ours.tokens) + 1

    def test_long_audio_is_transcribed_to_its_end(self):
        spec, found = pretrained(load_spec("whisper_tiny_en")), speech(6)
        long = Utterance(
            "long", np.concatenate([u.audio for u in found]), " ".join(u.reference for u in found)
        )
        assert long.duration_s > 30
        done, listener = transcribed(FasterWhisper(), spec, (long,))
        assert done.texts[0].rstrip(".,").split()[-2:] == long.reference.rstrip(".,").split()[-2:]
        assert done.audio_s == (long.duration_s,)
        assert listener.stages.count("encoder") == listener.stages.count("decoder") >= 2
