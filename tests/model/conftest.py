"""A two-layer Whisper with a small vocabulary,
as transformers has it and as CTranslate2 stores it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import numpy as np
import pytest
from support.hub_folders import ARCHITECTURE, HUB_ID, SPECIAL, toy_spec

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.model import weight_packages, weights
from asr_scaling.model.weights import hub_reachable


def ct2_variables(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of ``whisper_arrays``, written from CTranslate2's own converter."""

    def module(
        theirs: str, ours: str, leaves: str = "weight bias", names: str = "weight bias"
    ) -> None:
        for leaf, name in zip(leaves.split(), names.split(), strict=True):
            found[f"{theirs}/{leaf}"] = state[f"model.{ours}.{name}"]

    def fused(theirs: str, ours: str, parts: str) -> None:
        zero = np.zeros_like(state[f"model.{ours}.v_proj.bias"])
        found[f"{theirs}/weight"] = np.concatenate(
            [state[f"model.{ours}.{part}_proj.weight"] for part in parts]
        )
        biases = [
            zero if part == "k" else state[f"model.{ours}.{part}_proj.bias"] for part in parts
        ]
        found[f"{theirs}/bias"] = np.concatenate(biases)

    found: dict[str, np.ndarray] = {"decoder/num_heads": np.int16(2), "decoder/alibi": np.int8(0)}
    module("encoder/conv1", "encoder.conv1")
    module("encoder/conv2", "encoder.conv2")
    module("decoder/embeddings", "decoder.embed_tokens", "weight", "weight")
    for stack in ("encoder", "decoder"):
        module(f"{stack}/position_encodings", f"{stack}.embed_positions", "encodings", "weight")
        module(f"{stack}/layer_norm", f"{stack}.layer_norm", "gamma beta")
        for index in range(2):
            theirs, ours = f"{stack}/layer_{index}", f"{stack}.layers.{index}"
            module(f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm", "gamma beta")
            module(f"{theirs}/ffn/linear_0", f"{ours}.fc1")
            module(f"{theirs}/ffn/linear_1", f"{ours}.fc2")
            module(
                f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm", "gamma beta"
            )
            module(f"{theirs}/self_attention/linear_1", f"{ours}.self_attn.out_proj")
            fused(f"{theirs}/self_attention/linear_0", f"{ours}.self_attn", "qkv")
            if stack == "decoder":
                module(
                    f"{theirs}/attention/layer_norm",
                    f"{ours}.encoder_attn_layer_norm",
                    "gamma beta",
                )
                module(f"{theirs}/attention/linear_0", f"{ours}.encoder_attn.q_proj")
                module(f"{theirs}/attention/linear_2", f"{ours}.encoder_attn.out_proj")
                fused(f"{theirs}/attention/linear_1", f"{ours}.encoder_attn", "kv")
    return found


def ct2_bytes(
    variables: dict[str, np.ndarray],
    aliases: tuple[tuple[str, str], ...] = (
        ("decoder/projection/weight", "decoder/embeddings/weight"),
    ),
    head: tuple[int, str, int] = (6, "WhisperSpec", 3),
) -> bytes:
    """``model.bin`` as CTranslate2 writes it."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    kinds = ["float32", "int8", "int16", "int32", "float16"]
    out = [
        struct.pack("<I", head[0]),
        text(head[1]),
        struct.pack("<I", head[2]),
        struct.pack("<I", len(variables)),
    ]
    for name, value in sorted(variables.items()):
        out += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        out += [struct.pack("<BI", kinds.index(str(value.dtype)), value.nbytes), value.tobytes()]
    out += [struct.pack("<I", len(aliases)), *(text(alias) + text(name) for alias, name in aliases)]
    return b"".join(out)


@pytest.fixture(scope="session")
def toy() -> SimpleNamespace:
    """``model`` (float16 values in float32), its ``state`` as float16 arrays,
    and the functions above."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = WhisperForConditionalGeneration(WhisperConfig(**ARCHITECTURE)).eval()
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter).half().float()
    model.tie_weights()
    state = {name: value.numpy().astype(np.float16) for name, value in model.state_dict().items()}
    return SimpleNamespace(
        model=model, state=state, variables=ct2_variables(state), to_bytes=ct2_bytes
    )


@pytest.fixture
def spec() -> Callable[..., ModelSpec]:
    return toy_spec


@pytest.fixture
def package(
    toy: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SimpleNamespace:
    """The toy as two installed packages; ``version`` can be changed, ``folder`` holds the files."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    site = tmp_path / "site"
    site.mkdir()
    vocabulary = {
        character: i for i, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))
    }
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.add_special_tokens(
        [AddedToken(name, normalized=False, special=True) for name in SPECIAL]
    )
    tokenizer.save(str(site / "tokenizer.json"))
    ct2 = {
        "suppress_ids": [1, 2],
        "suppress_ids_begin": [3, 256],
        "lang_ids": [258, 259],
        "alignment_heads": [[1, 0]],
    }
    (site / "config.json").write_text(json.dumps(ct2))
    data = toy.to_bytes(toy.variables)
    (site / "a.part").write_bytes(data[:5000])
    (site / "b.part").write_bytes(data[5000:])
    made = SimpleNamespace(folder=site, version="1.2")

    def distribution(name: str) -> SimpleNamespace:
        return SimpleNamespace(
            name=name, version=made.version, locate_file=lambda path: site / path
        )

    monkeypatch.setattr(
        weight_packages, "CARRIERS", {HUB_ID: {"toy-a": "a.part", "toy-b": "b.part"}}
    )
    monkeypatch.setattr(weight_packages.metadata, "distribution", distribution)
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    return made


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty cache, a hub that is down, and no variable of the machine's own."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(weights.HUB_VARIABLE, "down")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    hub_reachable.cache_clear()
    yield
    hub_reachable.cache_clear()
