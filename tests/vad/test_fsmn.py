"""FunASR's voice activity: what it answers, its shape, its options."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.fakes import noise
from support.small_funasr import SMALL_VAD, folder_of, needs_funasr

from asr_scaling.core.ports import ModuleSpec
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError, WeightsError
from asr_scaling.vad.fsmn import Fsmn


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))


def test_it_is_a_module():
    assert isinstance(Fsmn(), ModuleSpec)


@pytest.mark.parametrize("options", [{"batch": 0}, {"threads": 0}])
def test_options_that_are_refused(options: dict[str, int]):
    with pytest.raises(ConfigError, match="fsmn_vad must be at least 1"):
        Fsmn(**options)


def test_without_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(MissingExtraError, match=r"asr-scaling\[funasr\]"):
        Fsmn().check()


@needs_funasr
class TestLoaded:
    def test_random_weights_have_the_published_shape_and_are_said_to_be_random(self):
        module = Fsmn(threads=1).load("cpu")
        assert module.facts.random
        assert module.facts.parameters == pytest.approx(0.43e6, rel=0.02)
        assert module.moved_bytes == 0
        module.close()
        module.close()
        with pytest.raises(EngineError, match="closed"):
            module.speech(noise(1.0).audio)

    def test_stretches_are_within_the_recording_and_in_order(self):
        module = Fsmn(threads=1).load("cpu")
        audio = noise(7.0).audio
        found = module.speech(audio)
        edges = [edge for stretch in found for edge in stretch]
        assert edges == sorted(edges)
        assert all(0 <= edge <= 7.0 for edge in edges)
        assert module.speech(audio) == found  # nothing is left of the call before
        module.close()

    @pytest.mark.parametrize("seconds", [0.001, 0.03, 0.2])
    def test_recordings_too_short_for_a_frame(self, seconds: float):
        module = Fsmn(threads=1).load("cpu")
        found = module.speech(noise(seconds).audio)
        assert all(0 <= start < end <= seconds for start, end in found)
        module.close()

    def test_weights_of_a_folder_decide(self, tmp_path: Path):
        """The last layer says either silence, of which it has one class, or speech, always."""
        place = Path(folder_of(SMALL_VAD, tmp_path / "mine"))
        audio = noise(4.0).audio
        for silence, seconds in ((20.0, 0.0), (-20.0, 4.0)):
            tensors = torch.load(place / "model.pt")
            tensors["encoder.out_linear2.linear.bias"][0] = silence
            torch.save(tensors, place / "model.pt")
            module = Fsmn(path=str(place), threads=1).load("cpu")
            assert module.facts.weights == "pretrained"
            heard = sum(end - start for start, end in module.speech(audio))
            assert heard == pytest.approx(seconds, abs=0.3)
            module.close()

    def test_a_folder_of_something_else(self, tmp_path: Path):
        place = folder_of(SMALL_VAD, tmp_path / "mine")
        config = Path(place, "config.yaml")
        config.write_text(config.read_text().replace("FsmnVADStreaming", "CAMPPlus"))
        with pytest.raises(WeightsError, match="'CAMPPlus' where a 'FsmnVADStreaming' is needed"):
            Fsmn(path=place).load("cpu")

    def test_torchs_threads_stay(self):
        before = torch.get_num_threads()
        module = Fsmn(threads=before + 1).load("cpu")
        module.speech(noise(0.5).audio)
        assert torch.get_num_threads() == before
        module.close()

    def test_the_same_seed_gives_the_same_weights(self):
        places = [Fsmn(seed=seed).weights().folder for seed in (1, 1, 2)]
        assert places[0] == places[1] != places[2]
        one, other = (torch.load(place / "model.pt") for place in places[1:])
        assert any(not torch.equal(one[name], other[name]) for name in one)
        assert replace(Fsmn(), seed=1).weights().folder == places[0]
        assert np.isfinite([value.sum().item() for value in one.values()]).all()
