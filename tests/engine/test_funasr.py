"""FunASR's recognisers of two layers: options, refusals, lengths, stages, weights, the process."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, Listener, altered, make_job, make_spec, noise
from support.networks import transcribed
from support.small_funasr import needs_funasr, paraformer, sensevoice

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.funasr import FunAsr
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.whisper_cpp import WhisperCpp
from asr_scaling.errors import (
    ConfigError,
    DeviceError,
    EngineError,
    MissingExtraError,
)
from asr_scaling.measure.job import run
from asr_scaling.profiler.flops import Flops
from asr_scaling.profiler.latency import Latency

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")


@pytest.fixture
def passing_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A gigabyte that pytest would keep."""
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    yield
    shutil.rmtree(tmp_path / "funasr")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [("dtype", "float16"), ("ncpu", 0), ("batch_size_s", 0), ("batch_size_threshold_s", 0)],
    )
    def test_refused(self, option: str, value: Any):
        with pytest.raises(ConfigError, match=rf"engine\.{option}.*{value}"):
            FunAsr(**{option: value})

    def test_a_model_of_another_family(self):
        with pytest.raises(EngineError, match="'toy' is a 'whisper': use engine=transformers"):
            FunAsr().check(make_spec())

    @pytest.mark.parametrize(
        "engine", [FasterWhisper, OnnxRuntime, OpenVino, Transformers, WhisperCpp]
    )
    @pytest.mark.parametrize("name", ["paraformer_zh", "sensevoice_small"])
    def test_other_engines_send_its_models_here(self, engine: Any, name: str):
        with pytest.raises(EngineError, match=r": use engine=funasr\.$"):
            engine().check(load_spec(name))

    def test_without_its_package(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "funasr", None)
        with pytest.raises(MissingExtraError, match=r"asr-scaling\[funasr\]"):
            FunAsr().check(paraformer())

    @needs_funasr
    def test_a_device_that_is_not_here(self):
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
        device: Any = SimpleNamespace(kind="cuda", torch_name="cuda:0")
        with pytest.raises(DeviceError, match="no cuda:0"):
            FunAsr().load(paraformer(), device)


@needs_funasr
class TestParaformer:
    def test_token_counts_are_the_planned_ones(self):
        spec = paraformer()
        done, _ = transcribed(FunAsr(), spec, (noise(4.0), noise(2.0)))
        planned = [spec.planned_tokens(4.0), spec.planned_tokens(2.0)]
        assert done.tokens == pytest.approx(planned, abs=1)
        assert tuple(map(len, done.texts)) == done.tokens  # no spaces between characters
        assert done.audio_s == (4.0, 2.0)
        assert done.steps == 0
        assert done.languages == ()

    def test_stages(self):
        _, listener = transcribed(FunAsr(), paraformer(), (noise(2.0), noise(1.0)))
        assert listener.log == ["features", "encoder", "decoder", "text", "times", "text"]

    def test_utterances_of_one_batch_are_those_of_two(self):
        both, _ = transcribed(FunAsr(), paraformer(), (noise(2.0), noise(2.0, "v")))
        one, _ = transcribed(FunAsr(), paraformer(), (noise(2.0),))
        assert both.texts[0] == one.texts[0]

    def test_clips_of_a_few_samples(self):
        done, _ = transcribed(FunAsr(), paraformer(), (noise(0.001), noise(0.05)))
        assert done.texts == ("", "")
        assert done.tokens == (0, 0)

    def test_another_seed_gives_other_weights(self):
        texts = [transcribed(FunAsr(seed=n), paraformer(), (noise(4.0),))[0].texts for n in (1, 2)]
        assert texts[0] != texts[1]

    def test_facts(self):
        system = FunAsr(ncpu=1).load(paraformer(), FakeDevice())
        facts = system.facts
        assert facts.random
        assert facts.weights_source.startswith("Random weights were asked for")
        modules = system.modules
        assert facts.parameters == sum(w.numel() for w in modules["model"].parameters())
        assert modules["encoder"] is modules["model"].encoder
        assert facts.weights_bytes > 4 * facts.parameters
        assert facts.details["ncpu"] == 1
        system.close()
        system.close()
        assert system.modules == {}
        with pytest.raises(EngineError, match="is closed"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_nothing_is_told_to_the_probe_of_an_earlier_call(self):
        system, batch = FunAsr().load(paraformer(), FakeDevice()), AudioBatch((noise(1.0),))
        first, second = Listener(), Listener()
        system.transcribe(batch, first)
        before = list(first.log)
        system.transcribe(batch, second)
        system.close()
        assert first.log == before == second.log

    def test_the_process_stays_as_it_was(self):
        torch.manual_seed(5)
        random.seed(5)
        before = torch.get_rng_state(), random.getstate(), torch.get_num_threads()
        system = FunAsr(ncpu=2).load(paraformer(), FakeDevice())
        system.transcribe(AudioBatch((noise(1.0),)), NullProbe())
        system.close()
        after = torch.get_rng_state(), random.getstate(), torch.get_num_threads()
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]

    def test_nothing_is_printed(self, capfd: pytest.CaptureFixture[str]):
        transcribed(FunAsr(seed=7), paraformer(), (noise(1.0),))
        assert capfd.readouterr() == ("", "")

    def test_as_a_job(self):
        job = make_job(
            durations=(2.0,),
            model=paraformer(),
            device=Cpu(threads=1),
            profiler={"latency": Latency(), "flops": Flops()},
        )
        record = run(altered(job, engine=FunAsr()))
        assert record.status == "ok", record.reason
        assert record.system["engine"] == "funasr"
        assert record.values["flops/encoder"] > 0
        assert record.values["throughput/rtfx"] > 0


@needs_funasr
class TestSenseVoice:
    def test_texts_and_stages(self):
        done, listener = transcribed(FunAsr(), sensevoice(), (noise(2.0), noise(1.0)))
        assert listener.log == ["features", "encoder", "text"]
        assert tuple(map(len, done.texts)) == done.tokens
        assert min(done.tokens) > 0

    def test_each_language_is_a_call(self):
        one, two = noise(1.0), noise(1.0, "v")
        spoken = (replace(one, language="en"), replace(two, language="ja"), one)
        done, listener = transcribed(FunAsr(), sensevoice(), spoken)
        assert listener.log.count("encoder") == 3
        assert done.languages == ()  # the last is asked for in none, and random weights tell none
        asked, _ = transcribed(FunAsr(), sensevoice(), spoken[:2])
        assert asked.languages == ("en", "ja")
        assert asked.texts == done.texts[:2]


@needs_funasr
@pytest.mark.slow
@pytest.mark.parametrize("name", ["paraformer_zh", "sensevoice_small"])
def test_the_published_sizes_run(name: str, passing_cache: None):
    spec = load_spec(name, weights="random")
    system = FunAsr().load(spec, FakeDevice())
    assert system.facts.parameters == spec.parameters
    done = system.transcribe(AudioBatch((noise(3.0),)), NullProbe())
    system.close()
    if spec.tokens_per_s:
        assert done.tokens[0] == pytest.approx(spec.planned_tokens(3.0), abs=1)
    assert len(done.texts[0]) == done.tokens[0] > 0
