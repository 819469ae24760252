"""Where the weights of FunASR's recognisers come from, and folders that can't be theirs."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, noise
from support.networks import transcribed
from support.small_funasr import folder_of, needs_funasr, paraformer, sensevoice

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine.funasr import FunAsr
from asr_scaling.errors import WeightsError
from asr_scaling.model.funasr_layouts import layout_of
from asr_scaling.model.funasr_package import quiet_output

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@needs_funasr
class TestWeights:
    def test_of_a_folder(self, tmp_path: Path):
        place = folder_of(layout_of(paraformer()), tmp_path / "mine")
        spec = paraformer(weights="auto", path=place)
        system = FunAsr().load(spec, FakeDevice())
        assert (system.facts.weights, system.facts.weights_source) == (
            "pretrained", f"path {place}"
        )  # fmt: skip
        system.close()
        one, other = (
            transcribed(FunAsr(seed=seed), spec, (noise(2.0),))[0].texts for seed in (1, 2)
        )
        assert one == other

    def test_none_anywhere(self):
        with pytest.raises(WeightsError, match=r"ModelScope's cache.*HF_HUB_OFFLINE.*model\.path"):
            FunAsr().load(paraformer(weights="pretrained", hub_id="iic/none"), FakeDevice())
        system = FunAsr().load(paraformer(weights="auto", hub_id="iic/none"), FakeDevice())
        assert system.facts.random
        assert "ModelScope's cache does not hold it" in system.facts.weights_source
        system.close()

    def test_in_modelscopes_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        spec = paraformer(weights="pretrained", hub_id="iic/mine", revision="v2")
        place = folder_of(layout_of(spec), tmp_path / "mine")
        asked = list[tuple[Any, ...]]()

        def snapshot(hub_id: str, *, revision: str, local_files_only: bool) -> str:
            asked.append((hub_id, revision, local_files_only))
            return place

        with quiet_output():
            client = importlib.import_module("modelscope.hub.snapshot_download")
        monkeypatch.setattr(client, "snapshot_download", snapshot)
        system = FunAsr().load(spec, FakeDevice())
        assert system.facts.weights == "pretrained"
        assert system.facts.weights_source == "ModelScope's cache iic/mine"
        assert asked == [("iic/mine", "v2", True)]  # nothing is asked of the network
        system.close()
        larger = replace(spec, tokens_per_s=2.0, architecture=_deeper(spec))
        with pytest.raises(WeightsError, match=r"ModelScope's folder holds weights of other sizes"):
            FunAsr().load(larger, FakeDevice())

    def test_no_folder(self, tmp_path: Path):
        self.refused(tmp_path / "none", "is not a folder")

    def test_an_empty_folder(self, tmp_path: Path):
        self.refused(tmp_path, "has no config.yaml")

    def test_of_another_network(self, tmp_path: Path):
        place = folder_of(layout_of(sensevoice()), tmp_path / "other")
        self.refused(Path(place), "'SenseVoiceSmall' where a 'SeacoParaformer' is needed")

    def test_of_another_size(self, tmp_path: Path):
        spec = paraformer()
        deeper = replace(spec, architecture=_deeper(spec))
        place = folder_of(layout_of(deeper), tmp_path / "larger")
        self.refused(Path(place), "encoder_conf.num_blocks 3, not 2")

    def test_that_lack_a_tensor(self, tmp_path: Path):
        place = Path(folder_of(layout_of(paraformer()), tmp_path / "mine"))
        tensors = torch.load(place / "model.pt")
        del tensors["decoder.output_layer.weight"]
        torch.save(tensors, place / "model.pt")
        self.refused(place, "decoder.output_layer.weight")

    def test_whose_tensor_has_another_shape(self, tmp_path: Path):
        place = Path(folder_of(layout_of(paraformer()), tmp_path / "mine"))
        tensors = torch.load(place / "model.pt")
        tensors["decoder.output_layer.weight"] = torch.zeros(3, 3)
        torch.save(tensors, place / "model.pt")
        self.refused(place, "can't load the weights")

    def test_that_are_cut_off(self, tmp_path: Path):
        place = Path(folder_of(layout_of(paraformer()), tmp_path / "mine"))
        file = place / "model.pt"
        file.write_bytes(file.read_bytes()[:1000])
        self.refused(place, "can't load the weights")

    def test_that_bring_code(self, tmp_path: Path):
        """A pickle that would write a file is not read."""
        place = Path(folder_of(layout_of(paraformer()), tmp_path / "mine"))
        mark = tmp_path / "mark"
        torch.save({"encoder": _Writes(str(mark))}, place / "model.pt")
        self.refused(place, "can't load the weights")
        assert not mark.exists()

    def refused(self, place: Path, why: str) -> None:
        with pytest.raises(WeightsError) as caught:
            FunAsr().load(paraformer(weights="auto", path=str(place)), FakeDevice())
        assert why in str(caught.value)
        assert str(place) in str(caught.value)


def _deeper(spec: ModelSpec) -> dict[str, Any]:
    """Its sizes, with a block more."""
    sizes = {**spec.architecture}
    sizes["encoder_conf"] = {**sizes["encoder_conf"], "num_blocks": 3}
    return sizes


class _Writes:
    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.place, "w")
