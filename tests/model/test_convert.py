"""Conversions: done once, of whatever weights there are, and told apart by all that shapes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr_scaling.errors import EngineError
from asr_scaling.model import convert
from asr_scaling.model.convert import converted, difference, example_audio
from asr_scaling.model.whisper import (
    check_log_probabilities,
    end_of_text,
    example_features,
    prompt_ids,
    special_tokens,
    transformers_logits,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))


class Maker:
    """Writes one file and counts."""

    def __init__(self) -> None:
        self.origins: list[Path] = []

    def __call__(self, origin: Path, new: Path) -> Mapping[str, Any]:
        self.origins.append(origin)
        assert (origin / "config.json").is_file()
        assert (origin / "model.safetensors").is_file()
        (new / "file").write_text("weights")
        return {"difference": 0.5}


def test_random_weights_are_converted_once(spec: Any):
    toy, make = spec(weights="random"), Maker()
    first, second = converted(toy, "kind", make), converted(toy, "kind", make)
    assert len(make.origins) == 1
    assert first == second
    assert (first.folder / "file").read_text() == "weights"
    assert first.facts == {"difference": 0.5}
    assert first.weights.kind == "random"
    assert not make.origins[0].exists()  # random weights in the hub's layout are not kept


@pytest.mark.parametrize("changes", [{"seed": 1}, {"dtype": "int8"}, {"kind": "other"}])
def test_what_shapes_the_result_is_told_apart(spec: Any, changes: dict[str, Any]):
    toy, make = spec(weights="random"), Maker()
    first = converted(toy, "kind", make)
    second = converted(toy, **({"kind": "kind", "make": make} | changes))
    assert first.folder != second.folder
    assert len(make.origins) == 2


def test_pretrained_weights_are_read_where_they_are(spec: Any, package: Any):
    make = Maker()
    found = converted(spec(), "kind", make)
    assert found.weights.kind == "pretrained"
    assert make.origins == [found.weights.folder]


def test_a_damaged_conversion_is_made_again(spec: Any):
    toy, make = spec(weights="random"), Maker()
    (converted(toy, "kind", make).folder / "file").write_text("damaged")
    assert (converted(toy, "kind", make).folder / "file").read_text() == "weights"


@pytest.mark.parametrize("error", [RuntimeError("no such layer\nat all"), EngineError("differs.")])
def test_a_conversion_that_fails_leaves_nothing(spec: Any, error: Exception):
    def fail(_: Path, new: Path) -> Mapping[str, Any]:
        (new / "file").write_text("half")
        raise error

    with pytest.raises(
        EngineError, match=r"can't be converted for kind \(no such layer\)|^differs\.$"
    ):
        converted(spec(weights="random"), "kind", fail)
    assert list(convert.cache_dir("converted").iterdir()) == []


class TestWhisper:
    """On the toy of conftest.py, whose vocabulary has two languages only:
    ids are checked on the real layout."""

    @pytest.mark.parametrize(
        ("multilingual", "size", "start", "wanted"),
        [
            (False, 51_864, 50_257, (50_257, 50_362)),
            (True, 51_865, 50_258, (50_258, 50_259, 50_359, 50_363)),
            (True, 51_866, 50_258, (50_258, 50_259, 50_360, 50_364)),
        ],
    )
    def test_the_prompt_and_its_names(
        self, spec: Any, multilingual: bool, size: int, start: int, wanted: Any
    ):
        sizes = spec().architecture | {"vocab_size": size, "decoder_start_token_id": start}
        model = spec(multilingual=multilingual, architecture=sizes)
        names = special_tokens(model)
        assert prompt_ids(model) == wanted
        said = [names[number - end_of_text(model)] for number in wanted]
        spoken = ["<|en|>", "<|transcribe|>"] if multilingual else []
        assert said == ["<|startoftranscript|>", *spoken, "<|notimestamps|>"]
        assert size - end_of_text(model) - len(names) == 1501  # timestamps

    def test_logits_are_those_of_the_network(self, package: Any, spec: Any, toy: Any):
        import torch

        folder = converted(spec(), "kind", Maker()).weights.folder
        features = example_features(folder)
        found, parameters = transformers_logits(folder, features, [257, 3, 4])
        with torch.no_grad():
            ids = torch.tensor([[257, 3, 4]])
            wanted = (
                toy.model(input_features=torch.from_numpy(features), decoder_input_ids=ids)
                .logits[0]
                .numpy()
            )
        assert difference(found, wanted) < 1e-5
        assert parameters == sum(p.numel() for p in toy.model.parameters())

    def test_differences_are_in_standard_deviations(self):
        wanted = np.random.default_rng(0).normal(3, 2, (4, 1000)).astype(np.float32)
        assert difference(wanted, wanted) == 0
        assert difference(wanted + 1, wanted) == pytest.approx(0.5, rel=0.05)

    def test_what_is_listened_to_is_the_same_every_time(self):
        audio = example_audio()
        assert audio.shape == (64_000,)
        assert audio.dtype == np.float32
        assert np.array_equal(audio, example_audio())

    def test_nothing_decoded_is_nothing_checked(self, spec: Any, monkeypatch: pytest.MonkeyPatch):
        import asr_scaling.model.whisper as module

        monkeypatch.setattr(module, "example_features", lambda _: None)
        monkeypatch.setattr(
            module,
            "transformers_logits",
            lambda _, __, ids: (np.zeros((len(ids), 300), np.float32), 7),
        )
        assert check_log_probabilities(Path(), spec(), [], []).difference == float("inf")
        uniform = -np.log(end_of_text(spec()) + 1)
        found = check_log_probabilities(Path(), spec(), [5], [uniform + 0.25])
        assert found.difference == pytest.approx(0.25)
        assert found.parameters == 7
