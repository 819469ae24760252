"""FunASR's speaker model: vectors, voices, its options."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.fakes import noise
from support.small_funasr import SMALL_VOICES, folder_of, needs_funasr

from asr_scaling.core.ports import ModuleSpec
from asr_scaling.errors import ConfigError, MissingExtraError
from asr_scaling.model.funasr_layouts import CAMPPLUS
from asr_scaling.speaker.campplus import CamPlusPlus


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(CamPlusPlus, "layout", SMALL_VOICES)


def windows(*seconds: float) -> list[np.ndarray]:
    return [noise(length, f"u{i}").audio for i, length in enumerate(seconds)]


def test_it_is_a_module():
    assert isinstance(CamPlusPlus(), ModuleSpec)


@pytest.mark.parametrize("threshold", [-0.1, 2.1])
def test_a_threshold_that_is_refused(threshold: float):
    with pytest.raises(ConfigError, match="threshold of campplus must be from 0 to 2"):
        CamPlusPlus(threshold=threshold)


def test_without_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(MissingExtraError, match=r"asr-scaling\[funasr\]"):
        CamPlusPlus().check()


@needs_funasr
class TestLoaded:
    def test_one_vector_of_length_1_for_each_window(self):
        module = CamPlusPlus(threads=1).load("cpu")
        assert module.facts.random
        assert (module.window_s, module.hop_s) == (1.5, 0.75)
        found = module.embeddings(windows(1.5, 1.5, 0.4))
        assert found.shape == (3, 8)
        assert found.dtype == np.float32
        assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
        assert module.embeddings([]).shape[0] == 0
        module.close()

    def test_batches_change_nothing_but_their_number(self):
        every = windows(1.5, 1.5, 1.0, 1.5)
        found = []
        for batch in (1, 3):
            module = CamPlusPlus(threads=1, batch=batch).load("cpu")
            found.append(module.embeddings(every))
            module.close()
        assert found[0] == pytest.approx(found[1], abs=1e-4)

    def test_the_same_window_is_the_same_voice(self):
        module = CamPlusPlus(threads=1, threshold=1e-4).load("cpu")
        one, other = windows(1.5, 0.9)
        vectors = module.embeddings([one, other, one])
        assert module.speakers(vectors).tolist() == [0, 1, 0]
        module.close()

    def test_weights_of_a_folder(self, tmp_path: Path):
        place = folder_of(SMALL_VOICES, tmp_path / "mine", seed=5)
        module, other = CamPlusPlus(path=place).load("cpu"), CamPlusPlus(seed=5).load("cpu")
        assert module.facts.weights == "pretrained"
        assert module.embeddings(windows(1.5)) == pytest.approx(other.embeddings(windows(1.5)))
        module.close()
        other.close()

    @pytest.mark.slow
    def test_the_published_shape(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(CamPlusPlus, "layout", CAMPPLUS)
        module = CamPlusPlus().load("cpu")
        assert module.facts.parameters == pytest.approx(6.85e6, rel=0.01)
        assert module.embeddings(windows(1.5)).shape == (1, 192)
        module.close()
