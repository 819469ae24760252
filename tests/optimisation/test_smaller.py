"""Pruned and fused networks: what is left of them, and that it computes what it should."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
import torch
from support.choices import composed, loaded
from support.fakes import FakeDevice, make_spec, noise
from support.networks import WAV2VEC2, ctc, moonshine, whisper

from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.optimisation.prune import Prune, RemoveWeakest


def conformer() -> Any:
    """With rotary positions, whose number of heads is that of the input."""
    architecture = WAV2VEC2 | {
        "position_embeddings_type": "rotary",
        "conv_depthwise_kernel_size": 3,
    }
    return make_spec(
        family="ctc",
        model_type="wav2vec2-conformer",
        architecture=architecture,
        features=ctc().features,
        weights="random",
    )


def logits(system: Any) -> torch.Tensor:
    """Of fixed inputs."""
    model, generator = system.modules["model"], torch.Generator().manual_seed(0)
    inputs: dict[str, Any] = {"input_values": torch.randn(1, 16_000, generator=generator)}
    if hasattr(model, "get_decoder"):
        tokens = {"decoder_input_ids": torch.tensor([[1, 5, 7, 2]])}
        inputs = (
            {"input_features": torch.randn(1, 80, 3000, generator=generator)}
            if _mel(model)
            else inputs
        )
        inputs |= tokens
    with torch.no_grad():
        return model(**inputs).logits  # type: ignore[no-any-return]


def _mel(model: Any) -> bool:
    return model.main_input_name == "input_features"


def tokens(system: Any) -> tuple[int, ...]:
    return system.transcribe(  # type: ignore[no-any-return]
        AudioBatch((noise(2.0), noise(1.0, "v"))), NullProbe()
    ).tokens


class TestFused:
    @pytest.mark.parametrize("make", [whisper, ctc, moonshine])
    def test_equal_but_for_rounding(self, make: Any):
        fused, plain = loaded("fused", model=make()), loaded(model=make())
        torch.testing.assert_close(logits(fused), logits(plain), atol=1e-6, rtol=1e-4)
        batch = AudioBatch((noise(2.0), noise(1.0, "v")))
        assert (
            fused.transcribe(batch, NullProbe()).texts == plain.transcribe(batch, NullProbe()).texts
        )

    def test_one_product_for_each_self_attention(self):
        model = loaded("fused").modules["model"]
        layer = model.get_decoder().layers[0]
        assert layer.self_attn.q_proj.linear.weight.shape == (3 * 16, 16)
        assert list(layer.self_attn.k_proj.parameters()) == []
        assert isinstance(layer.encoder_attn.k_proj, torch.nn.Linear)

    def test_facts(self):
        plain, fused = loaded().facts, loaded("fused").facts
        assert fused.parameters == plain.parameters
        assert fused.dtype == plain.dtype
        assert fused.weights_bytes == plain.weights_bytes + 4 * 4 * 16  # keys get a bias of zeros
        assert fused.details["changes"] == ["projections joined in 4 self-attentions"]

    def test_nothing_is_held_between_calls(self):
        system = loaded("fused")
        tokens(system)
        held = [m for m in system.modules["model"].modules() if getattr(m, "held", None)]
        assert held == []

    def test_an_attention_that_asks_otherwise_is_noticed(self):
        attention = loaded("fused").modules["model"].get_encoder().layers[0].self_attn
        attention.q_proj(torch.ones(1, 2, 16))
        with pytest.raises(EngineError, match="leave out fused"):
            attention.k_proj(torch.ones(1, 2, 16))

    def test_a_network_without_such_attention(self):
        change = composed("fused").engine.changes[0]
        with pytest.raises(EngineError, match="no self-attention"):
            change.change(torch.nn.Linear(2, 2), whisper(), FakeDevice())


class TestPrune:
    @pytest.mark.parametrize("make", [whisper, ctc, conformer])
    def test_rows_and_columns_are_gone_and_it_runs(self, make: Any):
        pruned, plain = loaded("prune", model=make(), prune={"ratio": 0.5}), loaded(model=make())
        assert logits(pruned).shape == logits(plain).shape
        assert not torch.equal(logits(pruned), logits(plain))
        assert pruned.facts.parameters == sum(
            p.numel() for p in pruned.modules["model"].parameters()
        )
        assert pruned.facts.parameters < plain.facts.parameters
        assert pruned.facts.weights_bytes < plain.facts.weights_bytes
        assert len(tokens(pruned)) == 2

    def test_half_of_each_layer(self):
        system = loaded("prune", prune={"ratio": 0.5})
        for layer in (
            *system.modules["model"].get_encoder().layers,
            *system.modules["model"].get_decoder().layers,
        ):
            assert layer.self_attn.v_proj.weight.shape == (8, 16)
            assert layer.self_attn.out_proj.weight.shape == (16, 8)
            assert layer.self_attn.num_heads == 1
            assert layer.fc1.weight.shape == (16, 16) == layer.fc2.weight.shape
        assert system.facts.details["changes"] == [
            "removed 6 of 12 heads and 64 of 128 feed-forward channels"
        ]

    @pytest.mark.parametrize("cache", ["cache_static", "cache_none"])
    def test_with_any_cache(self, cache: str):
        assert tokens(loaded("prune", cache, prune={"ratio": 0.5})) == (2, 1)

    def test_the_weakest_go(self):
        """A head and channels of zeros change nothing when they are removed."""
        system = loaded()
        model = system.modules["model"]
        with torch.no_grad():
            for layer in (*model.get_encoder().layers, *model.get_decoder().layers):
                for attention in (layer.self_attn, getattr(layer, "encoder_attn", layer.self_attn)):
                    for linear in (attention.q_proj, attention.k_proj, attention.v_proj):
                        linear.weight[8:] = 0
                    attention.out_proj.weight[:, 8:] = 0
                layer.fc1.weight[::2] = 0
                layer.fc2.weight[:, ::2] = 0
        before = logits(system)
        with torch.no_grad():
            RemoveWeakest(0.5).change(model, whisper(), FakeDevice())
        torch.testing.assert_close(logits(system), before, atol=1e-6, rtol=1e-4)

    @pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, 2])
    def test_a_ratio_that_is_none(self, ratio: float):
        with pytest.raises(
            ConfigError, match=r"optimisation\.prune\.ratio must lie between 0 and 1"
        ):
            Prune(ratio)

    def test_a_ratio_that_removes_nothing(self):
        with pytest.raises(
            EngineError, match=r"removes nothing from 'toy' \(12 heads, 128 channels in all\)"
        ):
            loaded("prune", prune={"ratio": 0.01})

    def test_a_head_always_stays(self):
        system = loaded("prune", prune={"ratio": 0.99})
        assert system.modules["model"].get_encoder().layers[0].self_attn.num_heads == 1
        assert tokens(system) == (2, 1)


@pytest.mark.parametrize("name", ["fused", "prune", "int8", "int8_weights", "mixed"])
def test_in_this_packages_own_loop_too(name: str):
    system = loaded(name, engine=Transformers(decode="loop"), prune={"ratio": 0.5})
    assert tokens(system) == (2, 1)
    assert system.facts.details["changes"]


def test_pruned_fused_and_quantised_in_any_order_is_one_system():
    names = ("int8", "fused", "prune")
    engines = [composed(*listed, prune={"ratio": 0.5}).engine for listed in permutations(names)]
    assert all(engine == engines[0] for engine in engines)
    system = loaded(*names, prune={"ratio": 0.5})
    said = system.facts.details["changes"]
    assert [text.split()[0] for text in said] == ["removed", "projections", "int8"]
    assert tokens(system) == (2, 1)
    expected = logits(loaded("prune", prune={"ratio": 0.5}))
    torch.testing.assert_close(
        logits(system), expected, atol=0.05 * float(expected.abs().max()), rtol=0
    )
