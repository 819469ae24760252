"""Words and languages of texts, by script."""

from __future__ import annotations

import pytest
from support.texts import SPACED, SPACELESS

from asr_scaling.core.text.scripts import (
    is_english,
    is_latin,
    other_than_latin,
    spaceless_share,
    which_are_english,
    without_needless_spaces,
    words_of,
)

LATIN = ("German", "French", "Spanish", "Polish", "Turkish", "Vietnamese")


@pytest.mark.parametrize("text", SPACED.values(), ids=list(SPACED))
def test_words_are_what_spaces_separate(text: str) -> None:
    assert words_of(text) == text.split()
    assert spaceless_share([text]) == 0


@pytest.mark.parametrize("text", SPACELESS.values(), ids=list(SPACELESS))
def test_characters_are_words_where_there_are_no_spaces(text: str) -> None:
    words = words_of(text)
    assert "".join(words) == text.replace(" ", "")
    assert len(words) > 5
    assert spaceless_share([text]) == 1


def test_a_mixed_text_counts_characters_and_words() -> None:
    assert words_of("我用 iPhone 15 打电话") == ["我", "用", "iPhone", "15", "打", "电", "话"]
    assert without_needless_spaces("我用 iPhone 15 打 电话") == "我用iPhone 15打电话"


def test_latin_but_for_a_letter_in_ten_is_latin() -> None:
    assert is_latin("the α particle")
    assert is_latin("12 345")
    assert not is_latin("मुझे WhatsApp करो")
    assert other_than_latin("no प्रा 我ー") == {"Devanagari": 2, "Han": 1, "Katakana-Hiragana": 1}


@pytest.mark.parametrize("language", LATIN)
def test_other_languages_are_not_english(language: str) -> None:
    assert not is_english([SPACED[language]])


def test_a_set_of_two_languages_is_told_apart_and_a_lone_sentence_is_not() -> None:
    english = "the cat sat on the mat and looked around the room for a while"
    italian = "la bambina andava a scuola ogni mattina insieme al fratello maggiore"
    assert which_are_english([english, italian, "taxi"]) == [True, False, True]
    assert which_are_english([english] * 12 + [italian]) == [True] * 13
    assert which_are_english([italian] * 12 + ["taxi"]) == [False] * 13
    assert which_are_english([]) == []


@pytest.mark.parametrize(
    "text", [SPACED["English"], "turn left", "", "w0 w1 w2", "Mr. Quilter is the apostle"]
)
def test_what_can_not_be_told_is_english(text: str) -> None:
    assert is_english([text])
