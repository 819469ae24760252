"""The file that whisper.cpp reads: its head, its vocabulary, every tensor once,
weights in blocks of 8 bits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asr_scaling.errors import EngineError
from asr_scaling.model.ggml import F16, F32, MAGIC, Q8_0, ggml_name, quantised, write_ggml
from asr_scaling.model.weight_packages import package_weights

BYTES = {F32: (4, 1), F16: (2, 1), Q8_0: (34, 32)}
"""Type → bytes of a block and weights in it."""


@dataclass
class File:
    """A parsed file. ``tensors``: name → (type, sizes, the fastest last, data)."""

    sizes: tuple[int, ...]
    mels: np.ndarray
    tokens: list[bytes]
    tensors: dict[str, tuple[int, tuple[int, ...], bytes]]


def parsed(path: Path) -> File:
    data, at = path.read_bytes(), 0

    def integers(count: int) -> tuple[int, ...]:
        nonlocal at
        at += 4 * count
        return struct.unpack(f"<{count}i", data[at - 4 * count : at])

    def raw(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    sizes = integers(12)
    shape = integers(2)
    mels = np.frombuffer(raw(4 * shape[0] * shape[1]), "<f4").reshape(shape)
    tokens = [raw(integers(1)[0]) for _ in range(integers(1)[0])]
    tensors = {}
    while at < len(data):
        dimensions, length, kind = integers(3)
        inner = integers(dimensions)
        name = raw(length).decode()
        size, block = BYTES[kind]
        assert name not in tensors
        tensors[name] = (kind, inner[::-1], raw(int(np.prod(inner)) // block * size))
    return File(sizes, mels, tokens, tensors)


@pytest.fixture
def folder(package: Any, spec: Any) -> Path:
    """The toy of conftest.py in the hub's layout."""
    found = package_weights(spec().hub_id, spec())
    assert found is not None
    return found[0]


def test_the_head_and_the_vocabulary(folder: Path, tmp_path: Path):
    write_ggml(folder, tmp_path / "f", "float16")
    file = parsed(tmp_path / "f")
    assert file.sizes == (MAGIC, 267, 1500, 16, 2, 2, 448, 16, 2, 2, 80, 1)
    assert sorted(file.tokens) == [bytes([byte]) for byte in range(256)]
    assert file.mels.shape == (80, 201)
    assert (file.mels >= 0).all()
    assert file.mels.any(axis=1).all()


def test_every_tensor_is_there_bit_for_bit(folder: Path, tmp_path: Path, toy: Any):
    written = write_ggml(folder, tmp_path / "f", "float16")
    tensors = parsed(tmp_path / "f").tensors
    wanted = {
        ggml_name(name): value for name, value in toy.state.items() if name != "proj_out.weight"
    }
    assert set(tensors) == set(wanted)
    assert written == sum(len(data) for _, _, data in tensors.values())
    for name, (kind, shape, data) in tensors.items():
        found = np.frombuffer(data, "<f2" if kind == F16 else "<f4").reshape(shape).squeeze()
        assert np.array_equal(found, wanted[name]), name
        assert (kind == F16) == (name.endswith("weight") and wanted[name].ndim > 1)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("model.encoder.layers.3.self_attn.q_proj.weight", "encoder.blocks.3.attn.query.weight"),
        (
            "model.decoder.layers.0.encoder_attn.out_proj.bias",
            "decoder.blocks.0.cross_attn.out.bias",
        ),
        (
            "model.decoder.layers.0.encoder_attn_layer_norm.bias",
            "decoder.blocks.0.cross_attn_ln.bias",
        ),
        ("model.encoder.layers.1.fc2.weight", "encoder.blocks.1.mlp.2.weight"),
        ("model.encoder.layers.1.final_layer_norm.weight", "encoder.blocks.1.mlp_ln.weight"),
        ("model.encoder.layer_norm.weight", "encoder.ln_post.weight"),
        ("model.decoder.layer_norm.bias", "decoder.ln.bias"),
        ("model.decoder.embed_positions.weight", "decoder.positional_embedding"),
        ("model.decoder.embed_tokens.weight", "decoder.token_embedding.weight"),
        ("model.encoder.conv1.bias", "encoder.conv1.bias"),
    ],
)
def test_names(name: str, wanted: str):
    assert ggml_name(name) == wanted


@given(arrays.arrays(np.float32, (2, 64), elements=st.floats(-100, 100, width=32)))
def test_a_weight_in_8_bits_is_off_by_half_a_step_at_most(matrix: np.ndarray):
    found = quantised(matrix)
    back = (found["d"].astype(np.float32)[:, None] * found["q"]).reshape(matrix.shape)
    largest = np.abs(matrix.reshape(-1, 32)).max(axis=1).repeat(32).reshape(matrix.shape)
    assert found.dtype.itemsize == 34
    assert (np.abs(back - matrix) <= largest * (0.5 / 127 + 2**-11) + 1e-5).all()


def test_rows_that_are_no_whole_blocks_are_refused(folder: Path, tmp_path: Path):
    with pytest.raises(EngineError, match=r"rows of 16 weights.*choose another engine\.dtype"):
        write_ggml(folder, tmp_path / "f", "int8")
