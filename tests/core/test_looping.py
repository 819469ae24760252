"""Texts that loop, on constructed texts in several scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.looping import compression_ratio, loops

LOOPS = (
    ("Wait, wait, wait, wait", "Wake me up"),
    ("and then, and then, and then and then he left", "and then he left"),
    ("of the world of the world. Of the world", "of the world"),
    ("谢谢谢谢谢谢谢谢", "再见"),
    ("ご視聴ありがとうございました" * 3, "はい"),
    ("धन्यवाद धन्यवाद धन्यवाद धन्यवाद", "धन्यवाद"),
    ("ขอบคุณขอบคุณขอบคุณขอบคุณ", "ขอบคุณ"),
    ("hahahahahahahahahaha", "he laughed"),
    ("you you you you you", ""),
    ("cafe\u0301 caf\u00e9 cafe\u0301 caf\u00e9", "café"),
    ("0 0 0 0 0 0", "nothing"),
)
SPOKEN = (
    ("no no no no", "no, no, no, no!"),
    ("no no no no no", "no no no no"),
    ("zero zero zero zero", "0000"),
    ("0000", "zero zero zero zero"),
    ("1000000000", "one billion"),
    ("1,000,000,000,000", "one trillion"),
    ("the the the", "the"),
    ("I have a dream. I have a dream", "I have a dream"),
    ("row row row your boat", "row your boat"),
    ("", "a reference"),
    ("very very very very well", "very very very well"),
    ("I see. " * 20, "I see. " * 20),
    ("Mississippi committee", "Mississippi committee"),
)


@pytest.mark.parametrize(("hypothesis", "reference"), LOOPS)
def test_a_repetition_that_nobody_said_loops(hypothesis: str, reference: str):
    assert loops(hypothesis, reference)


@pytest.mark.parametrize(("hypothesis", "reference"), SPOKEN)
def test_what_somebody_said_does_not_loop(hypothesis: str, reference: str):
    assert not loops(hypothesis, reference)


def test_the_ratio_is_of_bytes_in_utf_8():
    assert compression_ratio("") == 0
    assert compression_ratio("ab") == pytest.approx(2 / 10)  # 8 bytes of zlib's own
    assert compression_ratio("wait " * 100) > 20


WORDS = st.lists(
    st.text(st.characters(categories=("L",)), min_size=1, max_size=6).filter(
        lambda word: len(set(word)) == len(word)
    ),
    min_size=1,
    max_size=8,
    unique_by=str.casefold,
)


@given(WORDS, st.integers(8, 40))
def test_any_phrase_said_often_enough_loops(words: list[str], times: int):
    phrase = " ".join(words)
    assert loops(" ".join([phrase] * times), phrase)


@given(WORDS)
def test_no_text_loops_against_itself(words: list[str]):
    text = " ".join(words * 12)
    assert not loops(text, text)
