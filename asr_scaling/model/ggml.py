"""Writes a Whisper of transformers as the file that whisper.cpp reads.

The layout, all integers 32 bits and little-endian::

    magic "ggml"
    11 sizes: vocabulary; positions, width, heads, layers of the encoder; the same of the decoder;
    mels; file type
    mels, bins, mels × bins float32
    n, then n × (length · bytes of the token)
    tensors to the end: dimensions · length of the name · type · sizes, the fastest first · name ·
data

Source: ``whisper_model_load`` in whisper.cpp's src/whisper.cpp, ``block_q8_0`` in its
ggml/src/ggml-common.h.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_scaling.errors import EngineError
from asr_scaling.model.transformers_objects import all_tensors

MAGIC = 0x67676D6C
F32, F16 = 0, 1
Q8_0 = 8
"""Types of tensors."""
_FILE_TYPES = {"float32": 0, "float16": 1, "int8": 7 + 2 * 1000}
"""dtype → type of the file; quantised ones add 1000 × the version of ggml's quantisation, 2."""
_MATRICES = {"float32": F32, "float16": F16, "int8": Q8_0}
_BLOCK = 32
"""Weights that share a scale."""
_NAMES = (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"\.embed_positions\.weight$", ".positional_embedding"),
    (r"\.embed_tokens\.", ".token_embedding."),
)
"""Patterns and replacements, in this order: from transformers' names to openai/whisper's."""

Array = NDArray[np.generic]


def write_ggml(folder: Path, target: Path, dtype: str) -> int:
    """Writes the Whisper in ``folder`` (hub layout, safetensors) to ``target``.

    ``dtype``: of the matrices: float32, float16 or int8 (q8_0: blocks of 32 with a float16 scale).
    Convolutions are float16 unless all is float32; the rest is always float32. A folder without a
    tokenizer gets ids as its tokens.
    Returns the bytes of the tensors.
    Raises EngineError when a matrix can't be cut into blocks.
    """
    from transformers import AutoFeatureExtractor, WhisperConfig

    # transformers leaves out of the file what is its default
    config = WhisperConfig.from_pretrained(str(folder)).to_dict()
    with target.open("wb") as file:
        file.write(struct.pack("<12i", MAGIC, *_sizes(config), _FILE_TYPES[dtype]))
        _write_mels(
            file,
            int(config["num_mel_bins"]),
            int(AutoFeatureExtractor.from_pretrained(str(folder)).n_fft),
        )
        tokens = _tokens(
            folder, min(int(config["decoder_start_token_id"]) - 1, int(config["vocab_size"]))
        )
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        return sum(_write_tensor(file, name, value, dtype) for name, value in _tensors(folder))


def ggml_name(name: str) -> str:
    """The name in the file of what transformers calls ``name``."""
    for pattern, place in _NAMES:
        name = re.sub(pattern, place, name)
    return name


_ZERO = 1e-30
"""Scales below it are 0 in float16, and have no inverse in float32."""


def quantised(matrix: NDArray[np.float32]) -> Array:
    """``matrix`` in q8_0, whose blocks hold ``d``, float16, and ``q``, 32 × int8.

    ``d × q`` is nearest to the weights.
    """
    blocks = matrix.reshape(-1, _BLOCK)
    scale = np.abs(blocks).max(axis=1) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > _ZERO)
    packed = np.empty(len(blocks), [("d", "<f2"), ("q", "i1", _BLOCK)])
    packed["d"], packed["q"] = scale, np.rint(blocks * inverse[:, None])
    return packed


def _sizes(config: dict[str, int]) -> tuple[int, ...]:
    encoder = ("max_source_positions", "d_model", "encoder_attention_heads", "encoder_layers")
    decoder = ("max_target_positions", "d_model", "decoder_attention_heads", "decoder_layers")
    keys = ("vocab_size", *encoder, *decoder, "num_mel_bins")
    return tuple(int(config[key]) for key in keys)


def _write_mels(file: BinaryIO, mels: int, n_fft: int) -> None:
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(
        1 + n_fft // 2, mels, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney"
    ).T
    file.write(struct.pack("<2i", *bank.shape) + np.ascontiguousarray(bank, "<f4").tobytes())


def _tokens(folder: Path, count: int) -> list[bytes]:
    """Bytes of the first ``count`` tokens, which are text.

    In tokenizers letters of GPT-2's alphabet stand for bytes.
    """
    path = folder / "tokenizer.json"
    if path.is_file():
        vocabulary = json.loads(path.read_bytes())["model"]["vocab"]
    elif (folder / "vocab.json").is_file():
        vocabulary = json.loads((folder / "vocab.json").read_bytes())
    else:
        return [f" {i}".encode() for i in range(count)]
    letters = _byte_of_letter()
    names = {int(number): name for name, number in vocabulary.items()}
    return [bytes(letters[letter] for letter in names[i]) for i in range(count)]


def _byte_of_letter() -> dict[str, int]:
    """The inverse of GPT-2's ``bytes_to_unicode``.

    Printable bytes stand for themselves, others for letters from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + i): byte for i, byte in enumerate(others)
    }


def _tensors(folder: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Names in the file and float32 arrays, the tied output left out."""
    from transformers import WhisperForConditionalGeneration

    load = partial(
        WhisperForConditionalGeneration.from_pretrained, dtype="float32", weights_only=True
    )
    network = all_tensors(load, folder)
    for name, value in network.state_dict().items():
        if name != "proj_out.weight":
            yield ggml_name(name), value.numpy()


def _write_tensor(file: BinaryIO, name: str, value: NDArray[np.float32], dtype: str) -> int:
    if re.fullmatch(r"encoder\.conv\d\.bias", name):
        value = value[:, None]
    kind = _kind(name, value, dtype)
    sizes = value.shape[::-1]
    data = _stored(name, value, kind).tobytes()
    file.write(
        struct.pack(f"<3i{len(sizes)}i", len(sizes), len(name), kind, *sizes) + name.encode() + data
    )
    return len(data)


def _kind(name: str, value: Array, dtype: str) -> int:
    if value.ndim == 3:
        return F32 if dtype == "float32" else F16
    plain = value.ndim == 1 or name.endswith(("positional_embedding", ".bias"))
    return F32 if plain else _MATRICES[dtype]


def _stored(name: str, value: NDArray[np.float32], kind: int) -> Array:
    if kind != Q8_0:
        return value.astype("<f2" if kind == F16 else "<f4")
    if value.shape[-1] % _BLOCK:
        raise EngineError(
            f"'{name}' has rows of {value.shape[-1]} weights, which are no whole blocks of "
            f"{_BLOCK}: choose another engine.dtype."
        )
    return quantised(value)
