"""whisper.cpp on a Whisper of two layers: options, refusals, decoding lengths, stages, steps;
and on real weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.fakes import FakeDevice, Listener, altered, make_job, noise
from support.networks import transcribed
from support.small_whisper import ctc, needs_speech, pretrained, reference, speech, whisper

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.whisper_cpp import WhisperCpp
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError
from asr_scaling.measure.job import run
from asr_scaling.profiler.latency import Latency

pytest.importorskip("_pywhispercpp", reason="pip install 'asr-scaling[whisper_cpp]'")
from asr_scaling.engine.whisper_cpp import _library

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")
BEAMS = Decoding(beam=2)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [("dtype", "float32"), ("dtype", "q8_0"), ("window_margin_s", 31)],
    )
    def test_refused(self, option: str, value: Any):
        with pytest.raises(ConfigError, match=rf"engine\.{option}.*{value}"):
            WhisperCpp(**{option: value})

    def test_a_model_that_is_no_whisper(self):
        with pytest.raises(EngineError, match="'toy' is a 'wav2vec2': use engine=transformers"):
            WhisperCpp().check(ctc())

    def test_inner_layers_that_would_crash_it(self):
        with pytest.raises(EngineError, match="four times as wide"):
            WhisperCpp().check(whisper(architecture={"decoder_ffn_dim": 128}))

    def test_without_its_package(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(__import__("sys").modules, "_pywhispercpp", None)
        with pytest.raises(MissingExtraError, match=r"asr-scaling\[whisper_cpp\]"):
            WhisperCpp().check(whisper())

    def test_a_gpu(self):
        device: Any = SimpleNamespace(kind="cuda", torch_name="cuda:0")
        with pytest.raises(EngineError, match="not on cuda:0: use device=cpu"):
            WhisperCpp().load(whisper(), device)


class TestRandomWeights:
    @pytest.mark.parametrize("multilingual", [False, True])
    def test_token_counts_are_the_planned_ones(self, multilingual: bool):
        done, listener = transcribed(WhisperCpp(), whisper(multilingual), (noise(4.0), noise(2.0)))
        assert done.tokens == (4, 2)
        assert (
            done.steps == 5 + 3
        )  # one utterance after the other, each with a step that would give the end of text
        assert [len(text.split()) for text in done.texts] == [4, 2]
        assert listener.stages == ["features", "encoder", "decoder", "text"] * 2
        assert listener.log[:9] == ["features", "encoder", "decoder", *["token"] * 5, "text"]

    def test_a_clip_of_a_few_samples_is_heard_as_one_of_a_second_is(self):
        short = (noise(0.001), noise(0.05), noise(0.1))
        done, listener = transcribed(WhisperCpp(), whisper(), short)
        assert done.tokens == (1, 1, 1)
        assert listener.stages.count("encoder") == 3

    def test_every_window_is_encoded(self):
        done, listener = transcribed(WhisperCpp(), whisper(), (noise(40.0),))
        assert listener.stages.count("encoder") == 2
        assert (done.tokens, done.steps, done.audio_s) == ((40,), 31 + 11, (40.0,))

    def test_without_long_form_only_the_first_window_is_processed(self):
        done, listener = transcribed(WhisperCpp(long_form=False), whisper(), (noise(40.0),))
        assert listener.stages.count("encoder") == 1
        assert (done.tokens, done.audio_s) == ((30,), (30.0,))

    @pytest.mark.parametrize(
        "options", [{"decoding": BEAMS}, {"dtype": "int8"}, {"window_margin_s": 1.0}]
    )
    def test_options_keep_the_length(self, options: dict[str, Any]):
        done, _ = transcribed(WhisperCpp(**options), whisper(), (noise(3.0),))
        assert done.tokens == (3,)

    def test_the_tokens_are_those_of_transformers(self):
        spec, audio = whisper(), (noise(5.0),)
        ours, theirs = (
            transcribed(WhisperCpp(), spec, audio)[0],
            transcribed(Transformers(), spec, audio)[0],
        )
        assert ours.texts == theirs.texts

    def test_facts(self):
        sizes = {}
        for dtype in ("float16", "int8"):
            system = WhisperCpp(dtype=dtype).load(whisper(), FakeDevice())
            facts = system.facts
            sizes[dtype] = facts.weights_bytes
            system.close()
            assert facts.random
            assert system.modules == {}
            assert "no batches" in facts.notes[0]
            assert 0 < facts.details["log_probability_difference"] < 0.02
        assert sizes["int8"] == pytest.approx(sizes["float16"] * 34 / 64, rel=0.1)


class TestConversion:
    def test_probabilities_that_differ_are_refused(self, monkeypatch: pytest.MonkeyPatch):
        def wide(*_: Any) -> SimpleNamespace:
            return SimpleNamespace(difference=1.5, parameters=1)

        monkeypatch.setattr(_library, "check_log_probabilities", wide)
        with pytest.raises(
            EngineError, match=r"differ from those of transformers by 1\.5.* use another engine"
        ):
            WhisperCpp(seed=3).load(whisper(), FakeDevice())

    def test_a_file_that_can_not_be_loaded(self, tmp_path: Any):
        (tmp_path / "model.bin").write_bytes(
            b"no model at all, but longer than the head of one is: nothing to load"
        )
        with pytest.raises(EngineError, match=r"can't load .*model\.bin"):
            _library.load_context(tmp_path)


class TestSystem:
    def test_closed_twice_and_then_used(self):
        system = WhisperCpp().load(whisper(), FakeDevice())
        system.close()
        system.close()
        with pytest.raises(EngineError, match="is closed"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_nothing_is_told_to_the_probe_of_an_earlier_call(self):
        system, batch = WhisperCpp().load(whisper(), FakeDevice()), AudioBatch((noise(1.0),))
        first, second = Listener(), Listener()
        system.transcribe(batch, first)
        before = list(first.log)
        system.transcribe(batch, second)
        system.close()
        assert first.log == before == second.log

    def test_as_a_job(self):
        job = make_job(
            durations=(2.0,),
            model=whisper(),
            device=Cpu(threads=1),
            profiler={"latency": Latency()},
        )
        record = run(altered(job, engine=WhisperCpp()))
        assert record.status == "ok", record.reason
        assert record.system["engine"] == "whisper_cpp"
        assert "latency/per_token_s" in record.values
        assert "no batches" in " ".join(caution.message for caution in record.cautions)


@pytest.mark.slow
@needs_speech
class TestRealWeights:
    @pytest.mark.parametrize("options", [{}, {"dtype": "int8", "window_margin_s": 8.0}])
    def test_texts_are_those_of_transformers_nearly(self, options: dict[str, Any]):
        import jiwer

        spec, found = pretrained(load_spec("whisper_tiny_en")), speech(4)
        ours, theirs = transcribed(WhisperCpp(**options), spec, found)[0], reference(spec.name, 4)
        assert jiwer.wer(list(theirs.texts), list(ours.texts)) < 0.05
        assert ours.steps == sum(ours.tokens) + len(found)

    def test_long_audio_is_transcribed_to_its_end(self):
        spec, found = pretrained(load_spec("whisper_tiny_en")), speech(6)
        long = Utterance(
            "long", np.concatenate([u.audio for u in found]), " ".join(u.reference for u in found)
        )
        assert long.duration_s > 30
        done, listener = transcribed(WhisperCpp(), spec, (long,))
        assert done.texts[0].rstrip(".,").split()[-2:] == long.reference.rstrip(".,").split()[-2:]
        assert listener.stages.count("encoder") >= 2
