"""Precision, attention, cache: options that are set, and what makes no sense."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
import torch
from support.choices import FakeGpu, composed, loaded
from support.fakes import make_spec, noise
from support.networks import ctc, moonshine, whisper

from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.fake import Fake
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError, MissingExtraError


@dataclass(frozen=True)
class OwnInt8:
    """An engine that quantises by itself."""

    dtype: str = "float32"


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "option", "value"),
        [
            ("bf16", "dtype", "bfloat16"),
            ("fp16", "dtype", "float16"),
            ("attention_eager", "attention", "eager"),
            ("attention_sdpa", "attention", "sdpa"),
            ("cache_none", "cache", "none"),
            ("cache_dynamic", "cache", "dynamic"),
            ("cache_static", "cache", "static"),
        ],
    )
    def test_each_sets_its_own(self, name: str, option: str, value: str):
        assert composed(name).engine == Transformers(**{option: value})

    def test_int8_of_an_engine_that_quantises_by_itself(self):
        assert composed("int8", engine=OwnInt8()).engine == OwnInt8("int8")

    def test_flash_with_a_short_data_type_whichever_is_listed_first(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: name == "flash_attn" or find(name)
        )
        for names in permutations(("attention_flash", "bf16")):
            engine = composed(*names, device=FakeGpu()).engine
            assert engine == Transformers(dtype="bfloat16", attention="flash_attention_2")


REFUSED: list[tuple[list[str], dict[str, Any], str]] = [
    (["bf16", "fp16"], {}, "both set engine.dtype"),
    (["bf16"], {"engine": Transformers(dtype="float16")}, "you set it to float16"),
    (["bf16"], {"engine": Fake()}, "does not have"),
    (["attention_eager", "attention_sdpa"], {}, "both set engine.attention"),
    (["attention_flash"], {}, "NVIDIA GPUs alone"),
    (
        ["attention_flash"],
        {"device": FakeGpu()},
        "computes in 16 bits, and engine.dtype is float32",
    ),
    (["attention_flash", "mixed"], {"device": FakeGpu()}, "computes in 16 bits"),
    (["attention_eager"], {"engine": Fake()}, "does not have"),
    (["cache_none", "cache_static"], {}, "both set engine.cache"),
    (["cache_static"], {"model": ctc()}, "decodes without any"),
    (["cache_dynamic"], {"engine": Transformers(cache="none")}, "you set it to none"),
    (["int8", "int8_weights"], {}, "both change the weights"),
    (["int8", "mixed"], {}, "both change the weights"),
    (["int8", "bf16"], {}, "both set engine.dtype"),
    (["int8"], {"engine": Transformers(dtype="bfloat16")}, "you set it to bfloat16"),
    (["int8"], {"engine": Fake()}, "does not have"),
    (["int8", "compile"], {}, "torch.compile can't see"),
    (["int8"], {"engine": Transformers(compile=True)}, "torch.compile can't see"),
    (["int8_weights"], {"engine": Fake()}, "has none"),
    (["mixed", "fp16"], {}, "both set engine.dtype"),
    (["mixed"], {"model": ctc()}, "has no decoder"),
    (["fp8"], {}, "capability 8.9 or more"),
    (["sparse24"], {}, "capability 8.0 or more"),
    (["fused"], {"engine": Fake()}, "has none"),
    (
        ["fused"],
        {"model": make_spec(architecture={"position_embeddings_type": "rotary"})},
        "rotates the input",
    ),
    (["prune"], {"model": moonshine()}, "is a moonshine"),
    (
        ["prune"],
        {"model": make_spec(architecture={"position_embeddings_type": "relative"})},
        "positions are added",
    ),
]


@pytest.mark.parametrize(
    ("names", "parts", "why"), REFUSED, ids=[f"{'+'.join(n)}: {why}" for n, _, why in REFUSED]
)
def test_refused_in_one_sentence_before_anything_is_loaded(
    names: list[str], parts: dict[str, Any], why: str
):
    for listed in permutations(names):
        with pytest.raises(ConfigError) as caught:
            composed(*listed, **parts)
        said = str(caught.value)
        assert why in said
        assert said.startswith(f"optimisation={names[0]}") or len(names) > 1
        assert said.endswith(".")
        assert ". " not in said


def test_flash_attention_needs_its_package():
    if importlib.util.find_spec("flash_attn"):
        pytest.skip("flash-attn is installed here")
    with pytest.raises(MissingExtraError, match="flash-attn"):
        composed("attention_flash", "fp16", device=FakeGpu())


class TestMixed:
    @pytest.mark.parametrize("make", [whisper, moonshine])
    def test_only_the_encoder_is_short(self, make: Any):
        system = loaded("mixed", model=make())
        model = system.modules["model"]
        assert {p.dtype for p in model.get_encoder().parameters()} == {torch.float16}
        assert {p.dtype for p in model.get_decoder().parameters()} == {torch.float32}
        assert system.facts.dtype == "float16 encoder, float32 decoder"
        sizes = [sum(p.numel() for p in part.parameters()) for part in (model.get_encoder(), model)]
        assert system.facts.parameters == sizes[1]
        assert (
            0 <= system.facts.weights_bytes - (2 * sizes[0] + 4 * (sizes[1] - sizes[0])) < 1000
        )  # buffers

    def test_it_transcribes_as_float32_does(self):
        batch = AudioBatch((noise(2.0),))
        mixed = loaded("mixed").modules["model"]
        plain = loaded().modules["model"]
        features = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(0))
        tokens = torch.tensor([[1, 2, 3]])
        with torch.no_grad():
            found = mixed(input_features=features, decoder_input_ids=tokens).logits
            expected = plain(input_features=features, decoder_input_ids=tokens).logits
        assert found.dtype == torch.float32
        assert not torch.equal(found, expected)
        torch.testing.assert_close(found, expected, atol=1e-2 * float(expected.abs().max()), rtol=0)
        assert loaded("mixed").transcribe(batch, NullProbe()).tokens == (2,)
