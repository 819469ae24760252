"""Reads the ``model.bin`` of a CTranslate2 Whisper, under the names transformers uses.

The layout is that of binary version 6. All integers are little-endian; the length of a string
counts its final zero::

    u32 version · str specification · u32 revision
    u32 n, then n × (str name · u8 rank · u32 × rank · u8 type · u32 bytes · data)
    u32 n, then n × (str alias · str name)

Source: ``ModelSpec._serialize`` in CTranslate2's python/ctranslate2/specs/model_spec.py, and
``WhisperSpec`` beside it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.errors import WeightsError

VERSION, REVISION = 6, 3
SPECIFICATION = "WhisperSpec"
_BFLOAT16 = 5
_MAX_RANK = 3
_TYPES = ("<f4", "<i1", "<i2", "<i4", "<f2", "<u2")
"""Position = type id; numpy has no bfloat16 (the last)."""
_LINEAR = (("weight", "weight"), ("bias", "bias"))
_NORM = (("gamma", "weight"), ("beta", "bias"))
_WEIGHT = (("weight", "weight"),)
_POSITIONS = (("encodings", "weight"),)
_STEMS = {
    "encoder": (
        ("conv1", "conv1", _LINEAR),
        ("conv2", "conv2", _LINEAR),
        ("position_encodings", "embed_positions", _POSITIONS),
        ("layer_norm", "layer_norm", _NORM),
    ),
    "decoder": (
        ("embeddings", "embed_tokens", _WEIGHT),
        ("position_encodings", "embed_positions", _POSITIONS),
        ("layer_norm", "layer_norm", _NORM),
    ),
}
_SELF = (
    ("self_attention/layer_norm", "self_attn_layer_norm", _NORM),
    ("self_attention/linear_1", "self_attn.out_proj", _LINEAR),
    ("ffn/layer_norm", "final_layer_norm", _NORM),
    ("ffn/linear_0", "fc1", _LINEAR),
    ("ffn/linear_1", "fc2", _LINEAR),
)
_CROSS = (
    ("attention/layer_norm", "encoder_attn_layer_norm", _NORM),
    ("attention/linear_0", "encoder_attn.q_proj", _LINEAR),
    ("attention/linear_2", "encoder_attn.out_proj", _LINEAR),
)

Array = NDArray[Any]


class _Reader:
    """Takes values off the front of a buffer.

    Raises WeightsError when the buffer ends too early.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data).cast("B")
        self.at = 0

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise WeightsError(
                f"The CTranslate2 file is cut off at byte {len(self.data)}; "
                "install or copy its package again."
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def integer(self, code: str) -> int:
        (value,) = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))
        return int(value)

    def string(self) -> str:
        raw = bytes(self.take(self.integer("H")))
        try:
            text = raw[:-1].decode("utf-8")
        except UnicodeDecodeError:
            text = ""
        if not text or raw[-1] != 0:
            raise _foreign(f"a name is missing before byte {self.at}")
        return text

    def array(self) -> Array:
        if (rank := self.integer("B")) > _MAX_RANK:
            raise _foreign(f"a variable has {rank} dimensions")
        shape = tuple(self.integer("I") for _ in range(rank))
        kind, size = self.integer("B"), self.integer("I")
        if kind >= len(_TYPES):
            raise _foreign(f"there is no data type {kind}")
        dtype = np.dtype(_TYPES[kind])
        if math.prod(shape) * dtype.itemsize != size:
            raise _foreign(f"{size} bytes can't be an array of shape {list(shape)}")
        if not size:
            raise _foreign(f"an array of shape {list(shape)} is empty")
        values: Array = np.frombuffer(self.take(size), dtype).reshape(shape)
        return (values.astype("<u4") << 16).view("<f4") if kind == _BFLOAT16 else values


def read_variables(data: bytes | memoryview) -> dict[str, Array]:
    """All variables of a CTranslate2 Whisper by name, aliases included.

    The arrays are read-only views of ``data`` in the type they are stored in; bfloat16 becomes
    float32.
    Raises WeightsError when ``data`` is cut off, has bytes left over, or is another kind of file.
    """
    reader = _Reader(data)
    if (version := reader.integer("I")) != VERSION:
        raise _foreign(f"its version is {version}, not {VERSION}")
    if (name := reader.string()) != SPECIFICATION:
        raise _foreign(f"it holds a '{name}'")
    if (revision := reader.integer("I")) != REVISION:
        raise _foreign(f"the revision of its layout is {revision}, not {REVISION}")
    variables: dict[str, Array] = {}
    for _ in range(reader.integer("I")):
        name = _unused(reader.string(), variables)
        variables[name] = reader.array()
    for _ in range(reader.integer("I")):
        alias, target = reader.string(), reader.string()
        if target not in variables:
            raise _foreign(f"'{alias}' stands for '{target}', which is not there")
        variables[_unused(alias, variables)] = variables[target]
    if reader.at != len(reader.data):
        raise _foreign(f"{len(reader.data) - reader.at} bytes follow its end")
    return variables


def whisper_arrays(variables: dict[str, Array]) -> dict[str, Array]:
    """``variables`` under the names of transformers' WhisperForConditionalGeneration.

    They keep their data types. Fused projections are taken apart (views, no copy).
    ``proj_out.weight`` is left out, since it is tied to ``model.decoder.embed_tokens.weight``.
    Raises WeightsError when a variable is missing, left over or quantised.
    """
    # scalars are settings
    source = {name: value for name, value in variables.items() if value.ndim}
    for name, value in source.items():
        if value.dtype.kind != "f":
            raise _foreign(
                f"'{name}' is quantised to {value.dtype}, and only float weights can be converted"
            )
    arrays: dict[str, Array] = {}
    for stack, stems in _STEMS.items():
        for index in range(_layers(source, stack)):
            here, there = f"{stack}/layer_{index}", f"model.{stack}.layers.{index}"
            arrays |= _modules(source, here, there, _SELF)
            arrays |= _unfused(
                source, f"{here}/self_attention/linear_0", f"{there}.self_attn", "qkv"
            )
            if stack == "decoder":
                arrays |= _modules(source, here, there, _CROSS)
                arrays |= _unfused(
                    source, f"{here}/attention/linear_1", f"{there}.encoder_attn", "kv"
                )
        arrays |= _modules(source, stack, f"model.{stack}", stems)
    output = _pull(source, "decoder/projection/weight")
    if not np.array_equal(output, arrays["model.decoder.embed_tokens.weight"]):
        raise _foreign("its output projection is not tied to its embeddings")
    if source:
        raise _foreign(f"'{min(source)}' has no place in Whisper")
    return arrays


def _foreign(why: str) -> WeightsError:
    return WeightsError(f"This is not a CTranslate2 Whisper this version can read: {why}.")


def _unused(name: str, variables: dict[str, Array]) -> str:
    if name in variables:
        raise _foreign(f"'{name}' occurs twice")
    return name


def _layers(source: dict[str, Array], stack: str) -> int:
    """Number of layers in ``stack``: the highest index and 1, so a gap is a missing variable."""
    prefix = f"{stack}/layer_"
    numbers = (
        name.removeprefix(prefix).partition("/")[0] for name in source if name.startswith(prefix)
    )
    return max(
        (int(number) + 1 for number in numbers if number.isdecimal() and len(number) < 4), default=0
    )


def _pull(source: dict[str, Array], name: str) -> Array:
    if name not in source:
        raise _foreign(f"'{name}' is missing")
    return source.pop(name)


def _modules(
    source: dict[str, Array],
    here: str,
    there: str,
    table: Iterable[tuple[str, str, tuple[tuple[str, str], ...]]],
) -> dict[str, Array]:
    return {
        f"{there}.{module}.{leaf}": _pull(source, f"{here}/{theirs}/{their_leaf}")
        for theirs, module, leaves in table
        for their_leaf, leaf in leaves
    }


def _unfused(source: dict[str, Array], here: str, there: str, parts: str) -> dict[str, Array]:
    """A fused projection ``[len(parts) · d_model, d_model]`` taken apart; keys get a zero bias."""
    weight, bias = _pull(source, f"{here}/weight"), _pull(source, f"{here}/bias")
    if len(weight) % len(parts) or bias.shape != weight.shape[:1]:
        raise _foreign(f"'{here}' has the shapes {list(weight.shape)} and {list(bias.shape)}")
    arrays: dict[str, Array] = {}
    for part, rows, offset in zip(
        parts, np.split(weight, len(parts)), np.split(bias, len(parts)), strict=True
    ):
        arrays[f"{there}.{part}_proj.weight"] = rows
        if part != "k":
            arrays[f"{there}.{part}_proj.bias"] = offset
        elif offset.any():
            raise _foreign(f"the keys of '{here}' have a bias")
    return arrays
