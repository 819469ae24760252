"""A Whisper goes into CTranslate2's file format and comes back the same;
anything else is refused in one sentence."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr_scaling.errors import WeightsError
from asr_scaling.model.ctranslate2 import read_variables, whisper_arrays


def test_the_state_dict_comes_back_bit_for_bit_and_loads(toy):
    import torch

    arrays = whisper_arrays(read_variables(toy.to_bytes(toy.variables)))
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()}
    expected = toy.model.state_dict()
    assert set(expected) - set(state) == {"proj_out.weight"}
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(torch.equal(value, expected[name]) for name, value in state.items())
    missing = toy.model.load_state_dict(state, strict=False)
    assert (missing.missing_keys, missing.unexpected_keys) == (["proj_out.weight"], [])


def test_the_stored_type_is_kept_and_a_memoryview_will_do(toy):
    arrays = whisper_arrays(read_variables(memoryview(toy.to_bytes(toy.variables))))
    assert {value.dtype for value in arrays.values()} == {np.dtype(np.float16)}


def test_scalars_aliases_and_bfloat16_are_read():
    head = struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + struct.pack("<I", 3)
    brain = struct.pack("<H", 2) + b"b\0" + struct.pack("<BIBIHH", 1, 2, 5, 4, 0x3F80, 0xC000)
    heads = struct.pack("<H", 2) + b"n\0" + struct.pack("<BBIh", 0, 2, 2, 6)
    alias = struct.pack("<IH", 1, 2) + b"a\0" + struct.pack("<H", 2) + b"b\0"
    read = read_variables(head + struct.pack("<I", 2) + brain + heads + alias)
    assert read["a"].tolist() == [1.0, -2.0]
    assert read["b"].dtype == np.float32
    assert read["n"].shape == ()
    assert int(read["n"]) == 6


def test_every_cut_is_noticed(toy):
    data = toy.to_bytes(toy.variables)
    chosen = random.Random(0)
    for end in [
        0,
        1,
        3,
        4,
        6,
        20,
        len(data) - 1,
        *(chosen.randrange(len(data)) for _ in range(200)),
    ]:
        with pytest.raises(WeightsError, match=r"cut off at byte|not a CTranslate2 Whisper"):
            read_variables(data[:end])


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_other_file_is_refused(data, with_head):
    head = (
        struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + struct.pack("<II", 3, 9)
        if with_head
        else b""
    )
    with pytest.raises(WeightsError):
        read_variables(head + data)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ((5, "WhisperSpec", 3), "its version is 5, not 6"),
        ((6, "TransformerSpec", 3), "it holds a 'TransformerSpec'"),
        ((6, "WhisperSpec", 2), "revision of its layout is 2, not 3"),
    ],
)
def test_other_versions_and_models_are_named(toy, head, said):
    with pytest.raises(WeightsError, match=said):
        read_variables(toy.to_bytes(toy.variables, head=head))


def test_trailing_bytes_and_bad_aliases_are_refused(toy):
    with pytest.raises(WeightsError, match="3 bytes follow its end"):
        read_variables(toy.to_bytes(toy.variables) + b"123")
    with pytest.raises(WeightsError, match="'x' stands for 'y'"):
        read_variables(toy.to_bytes(toy.variables, aliases=(("x", "y"),)))
    with pytest.raises(WeightsError, match="'decoder/alibi' occurs twice"):
        read_variables(
            toy.to_bytes(toy.variables, aliases=(("decoder/alibi", "decoder/num_heads"),))
        )


def altered(toy, **changes):
    """Arrays of the toy with some replaced (None removes one); ``__`` stands for ``/``."""
    read = read_variables(toy.to_bytes(toy.variables))
    read |= {name.replace("__", "/"): value for name, value in changes.items()}
    return {name: value for name, value in read.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"encoder__layer_1__ffn__linear_0__bias": None},
            "'encoder/layer_1/ffn/linear_0/bias' is missing",
        ),
        ({"encoder__layer_7__ffn__linear_0__bias": np.ones(4)}, "'encoder/layer_2/.*' is missing"),
        ({"decoder__projection__bias": np.ones(4)}, "'decoder/projection/bias' has no place"),
        ({"decoder__projection__weight": np.ones((4, 4))}, "not tied"),
        ({"encoder__conv1__weight": np.ones((4, 4), np.int8)}, "quantised to int8"),
        (
            {"encoder__layer_0__self_attention__linear_0__weight": np.ones((47, 16))},
            r"shapes \[47, 16\]",
        ),
        ({"encoder__layer_0__self_attention__linear_0__bias": np.ones(48)}, "have a bias"),
    ],
)
def test_what_is_not_whisper_is_refused(toy, changes, said):
    with pytest.raises(WeightsError, match=said) as caught:
        whisper_arrays(altered(toy, **changes))
    assert str(caught.value).count(".") == 1
