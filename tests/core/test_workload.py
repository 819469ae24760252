"""Utterances of any length are checked and hashed piece by piece."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import Utterance, digest
from asr_scaling.errors import DataError
from asr_scaling.util.mapped import BLOCK, mapped


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 999, BLOCK, 2 * BLOCK + 3])
def test_the_digest_is_that_of_one_piece(samples: int):
    audio = noise(samples)
    expected = hashlib.sha256()
    for data in (b"a", "wörds".encode(), audio.astype("<f4").tobytes()):
        expected.update(len(data).to_bytes(8, "little") + data)
    assert digest([Utterance("a", audio, "wörds")]) == expected.hexdigest()


def test_the_digest_of_two_utterances_has_not_changed():
    some = np.arange(-8, 8, dtype=np.float32) / 16
    found = digest([Utterance("a", some, "one"), Utterance("b", some[::-2], "")])
    assert found == "9ee4c24523d7b4a54d15d264d68e39d4c028adc39e7e2a5a55d59e6f8cfe2b31"


def test_who_speaks_when_is_part_of_the_digest():
    audio = noise(16_000)
    turns = [(), (Turn(0, 1, "a"),), (Turn(0, 1, "b"),), (Turn(0, 0.5, "a"),), (Turn(0, 1),)]
    assert len({digest([Utterance("u", audio, "x", turns=each)]) for each in turns}) == len(turns)


@pytest.mark.parametrize("at", [0, BLOCK - 1, BLOCK, -1])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_samples_that_are_not_finite_are_found_wherever_they_are(at: int, value: float):
    audio = np.zeros(2 * BLOCK + 9, np.float32)
    audio[at] = value
    with pytest.raises(DataError, match="'u' holds NaN or infinite samples; export it again"):
        Utterance("u", audio, "")


def test_audio_may_be_mapped_from_a_file(tmp_path: Path):
    audio = noise(BLOCK + 5)
    audio.tofile(tmp_path / "a")
    one, other = Utterance("u", audio, "x"), Utterance("u", mapped(tmp_path / "a"), "x")
    assert digest([one]) == digest([other])
    assert one.duration_s == other.duration_s
    assert not other.audio.flags.writeable


@pytest.mark.parametrize(
    ("reference", "turns", "untold"),
    [
        ("", (Turn(0, 1, "a"),), True),
        ("", (Turn(1, 1, "a"),), False),
        ("", (), False),
        ("x", (Turn(0, 1, "a"),), False),
    ],
)
def test_speech_whose_words_nobody_tells(reference: str, turns: tuple[Turn, ...], untold: bool):
    assert Utterance("u", noise(9), reference, turns=turns).untold is untold
