"""FunASR's punctuation: marks, texts in their order, its options."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from support.small_funasr import SMALL_PUNC, folder_of, needs_funasr

from asr_scaling.core.ports import ModuleSpec
from asr_scaling.errors import EngineError, MissingExtraError
from asr_scaling.model.funasr_layouts import CT_PUNC
from asr_scaling.punctuation.ct_punc import CtPunc


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(CtPunc, "layout", SMALL_PUNC)


def test_it_is_a_module():
    assert isinstance(CtPunc(), ModuleSpec)
    assert CT_PUNC.vocabulary == 471067


def test_without_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(MissingExtraError, match=r"asr-scaling\[funasr\]"):
        CtPunc().check()


@needs_funasr
class TestLoaded:
    def test_random_weights_end_a_sentence_at_each_word(self):
        """So that each part of a text is as short as it can be."""
        module = CtPunc(threads=1).load("cpu")
        assert module.facts.random
        assert module.restored(["一丁丂", "one two"]) == ("一。丁。丂。", "One. Two.")
        module.close()
        with pytest.raises(EngineError, match="closed"):
            module.restored(["a"])

    def test_nothing_to_restore(self):
        module = CtPunc(threads=1).load("cpu")
        assert module.restored([]) == ()
        assert module.restored(["", " ", "一"]) == ("", "", "一。")
        module.close()

    def test_long_texts_keep_every_word(self):
        module = CtPunc(threads=1).load("cpu")
        (text,) = module.restored(["一丁" * 50])
        assert text.replace("。", "") == "一丁" * 50
        module.close()

    def test_weights_of_a_folder_decide(self, tmp_path: Path):
        place = Path(folder_of(SMALL_PUNC, tmp_path / "mine"))
        tensors = torch.load(place / "model.pt")
        tensors["decoder.bias"][3] -= 100  # what random weights were given
        tensors["decoder.bias"][2] += 100  # a comma
        torch.save(tensors, place / "model.pt")
        module = CtPunc(path=str(place), threads=1).load("cpu")
        assert module.facts.weights == "pretrained"
        assert module.restored(["一丁丂"]) == ("一，丁，丂。",)
        module.close()


@needs_funasr
@pytest.mark.slow
def test_the_published_shape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(CtPunc, "layout", CT_PUNC)
    module = CtPunc().load("cpu")
    assert module.facts.parameters == 281_365_842
    assert module.restored(["一丁丂"]) == ("一。丁。丂。",)
    module.close()
    shutil.rmtree(tmp_path / "cache")  # a gigabyte that pytest would keep
