"""Every model of conf/model that transformers has: its sizes give the published count, its
features come out, random weights run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from support.funasr_zoo import ZOO

from asr_scaling.core.language import language_code
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import ConfigError
from asr_scaling.model.transformers_objects import (
    AUTO_CLASSES,
    auto_class,
    configuration,
    feature_extractor,
    random_model,
)
from asr_scaling.model.whisper import language_ids, special_tokens

KEYS = {
    *("name", "hub_id", "revision", "licence", "family", "model_type", "parameters", "published"),
    *("architecture", "features", "window_s", "tokens_per_s", "multilingual", "languages"),
}
UNITS = {"M": 1e6, "B": 1e9}
SMALL = ["whisper_tiny_en", "wav2vec2", "moonshine_tiny"]


def load(name: str) -> ModelSpec:
    return ModelSpec(**yaml.safe_load((ZOO[0].parent / f"{name}.yaml").read_text()))


def logits(spec: ModelSpec, model: torch.nn.Module, seconds: float = 1.0) -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * 16000)).astype(np.float32)
    inputs = dict(feature_extractor(spec)([noise], sampling_rate=16000, return_tensors="pt"))
    if "decoder_start_token_id" in spec.architecture:
        inputs["decoder_input_ids"] = torch.tensor(
            [[spec.architecture["decoder_start_token_id"]] * 2]
        )
    with torch.inference_mode():
        return model(**inputs).logits


def test_zoo_is_there():
    assert len(ZOO) >= 20


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
class TestEveryModel:
    def test_yaml(self, path: Path):
        data = yaml.safe_load(path.read_text())
        spec = ModelSpec(**data)
        assert set(data) >= KEYS
        assert spec.name == path.stem
        assert spec.family in AUTO_CLASSES
        assert all(map(language_code, spec.languages))
        assert spec.multilingual or spec.codes == ["en"]
        if len(spec.codes) > 1 and spec.family == "whisper":  # in the order of the tokens
            names = [f"<|{own}|>" for own in spec.languages]
            assert names == special_tokens(spec)[2 : 2 + len(names)] == list(language_ids(spec))
        assert spec.licence in {"Apache-2.0", "MIT", "CC-BY-4.0"}
        assert spec.features["sampling_rate"] == 16000
        assert (spec.window_s == 30.0) == (spec.family == "whisper")
        assert (spec.tokens_per_s is None) == (spec.family == "ctc")
        assert len(path.read_text().splitlines()) <= 50

    def test_sizes_give_the_parameters(self, path: Path):
        spec = load(path.stem)
        with torch.device("meta"):
            model = auto_class(spec).from_config(configuration(spec))
        assert sum(weight.numel() for weight in model.parameters()) == spec.parameters

    def test_published_count(self, path: Path):
        spec = load(path.stem)
        if not spec.published:
            pytest.skip("its authors print no count")
        number, unit = spec.published.split()
        assert spec.parameters == pytest.approx(float(number) * UNITS[unit], rel=0.05)

    def test_configuration_knows_every_key(self, path: Path):
        spec = load(path.stem)
        default = configuration(replace(spec, architecture={}))
        # transformers 5 moves some keys: into rope_parameters, into the generation config
        unknown = {key for key in spec.architecture if not hasattr(default, key)}
        assert unknown <= {"partial_rotary_factor", "decoder_start_token_id", "suppress_tokens"}

    def test_features(self, path: Path):
        spec = load(path.stem)
        extract = feature_extractor(spec)
        for samples in (
            np.zeros(16000, np.float32),
            np.random.default_rng(0).normal(size=16000).astype(np.float32),
        ):
            batch = extract([samples], sampling_rate=16000, return_tensors="pt")
            values = batch[extract.model_input_names[0]]
            assert torch.isfinite(values).all()
            assert ("attention_mask" in batch) == spec.features.get("return_attention_mask", True)
            if spec.window_s:
                assert values.shape == (
                    1,
                    spec.architecture["num_mel_bins"],
                    round(spec.window_s * 100),
                )
            else:
                assert values.shape in {(1, 16000), (1, 101, spec.features["feature_size"])}


@pytest.mark.parametrize("name", SMALL)
def test_random_model_runs(name: str):
    spec = load(name)
    model = random_model(spec, seed=1)
    out = logits(spec, model)
    assert not model.training
    assert out.shape[-1] == spec.architecture["vocab_size"]
    assert torch.isfinite(out).all()
    assert out.std() > 0.01
    assert all(torch.isfinite(buffer).all() for buffer in model.buffers())


@pytest.mark.parametrize("name", SMALL)
def test_random_model_is_deterministic(name: str):
    spec = load(name)
    state = torch.get_rng_state()
    one, two, other = (random_model(spec, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    pairs = list(zip(one.parameters(), two.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(
        torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


def test_random_model_takes_what_a_published_one_has():
    spec = load("whisper_tiny_en")
    model = random_model(spec, dtype=torch.bfloat16)
    weights = dict(model.named_parameters(remove_duplicate=False))
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert weights["proj_out.weight"] is weights["model.decoder.embed_tokens.weight"]
    assert torch.all(weights["model.encoder.layer_norm.weight"] == 1)
    assert torch.all(
        weights["model.encoder.embed_positions.weight"][0, 192:] == 1
    )  # cos(0): the sinusoids are there
    assert weights["model.encoder.conv1.weight"].detach().float().std().item() == pytest.approx(
        0.02, rel=0.05
    )
    assert sum(weight.numel() for weight in model.parameters()) == spec.parameters


def test_batch_norms_and_rotary_frequencies_are_sane():
    spec = load("wav2vec2_conformer")
    model = random_model(replace(spec, architecture={**spec.architecture, "num_hidden_layers": 1}))
    buffers = dict(model.named_buffers())
    assert all(
        torch.all(value == 1) for name, value in buffers.items() if name.endswith("running_var")
    )
    assert all(
        torch.all(value == 0) for name, value in buffers.items() if name.endswith("running_mean")
    )
    assert next(value[0] for name, value in buffers.items() if name.endswith("inv_freq")) == 1
    assert torch.isfinite(logits(spec, model)).all()


def test_random_transducer_generates():
    spec = load("parakeet_tdt")
    sizes = {
        **spec.architecture,
        "encoder_config": {**spec.architecture["encoder_config"], "num_hidden_layers": 1},
    }
    spec = replace(spec, architecture=sizes)
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    inputs = feature_extractor(spec)([noise], sampling_rate=16000, return_tensors="pt")
    tokens = random_model(spec).generate(**inputs, max_new_tokens=3).sequences
    assert tokens[0, 0] == spec.architecture["blank_token_id"]
    assert tokens.max() < spec.architecture["vocab_size"]


def test_errors_say_what_is_wrong():
    spec = load("whisper_tiny_en")
    with pytest.raises(ConfigError, match=r"model\.family"):
        auto_class(replace(spec, family="nonsense"))
    with pytest.raises(ConfigError, match="feature_extractor_type"):
        feature_extractor(replace(spec, features={"feature_extractor_type": "Nonsense"}))
    with pytest.raises(ConfigError, match="nonsense"):
        configuration(replace(spec, model_type="nonsense"))
