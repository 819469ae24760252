"""Every tensor of a loaded network is from the weights: none is drawn at random in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.networks import whisper

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import WeightsError
from asr_scaling.model import transformers_objects
from asr_scaling.model.ggml import write_ggml
from asr_scaling.model.whisper import transformers_logits

FC1, NEW = "model.encoder.layers.1.fc1.weight", "model.encoder.layers.2.fc1.weight"
Tensors = dict[str, torch.Tensor]


def load(spec: ModelSpec, folder: Path) -> None:
    transformers_objects.pretrained_model(spec, folder, torch.float32, "eager")


def logits(spec: ModelSpec, folder: Path) -> None:
    transformers_logits(folder, np.zeros((1, 80, 3000), np.float32), [1])


def ggml(spec: ModelSpec, folder: Path) -> None:
    write_ggml(folder, folder / "model.ggml", "float32")


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return whisper()


@pytest.fixture
def folder(spec: ModelSpec, tmp_path: Path) -> Path:
    transformers_objects.random_model(spec).save_pretrained(tmp_path)
    transformers_objects.feature_extractor(spec).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("reader", [load, logits, ggml])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop(FC1), f"lack {FC1}: save or copy them whole"),
        (
            lambda tensors: tensors.update({NEW: tensors[FC1].clone()}),
            f"have more than the model takes: {NEW}: choose the model they are of",
        ),
        (
            lambda tensors: tensors.update({f"base_model.{FC1}.lora_A": torch.zeros(2)}),
            "merge adapters before they are saved",
        ),
        (
            lambda tensors: tensors.update({FC1: torch.zeros(3, 5)}),
            "have tensors of other sizes than its config.json says",
        ),
    ],
)
def test_what_is_missing_left_over_or_of_another_size_is_refused(
    reader: Callable[[ModelSpec, Path], None],
    change: Callable[[Tensors], object],
    words: str,
    spec: ModelSpec,
    folder: Path,
) -> None:
    reader(spec, folder)
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(WeightsError) as caught:
        reader(spec, folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_of_tensors_is_checked_too(spec: ModelSpec, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    tensors = dict(transformers_objects.random_model(spec).state_dict())
    torch.save(tensors, folder / "pytorch_model.bin")
    load(spec, folder)
    del tensors[FC1]
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"lack model\.encoder"):
        load(spec, folder)
