"""Normalisers by language and script."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.texts import ALL, SPACED, SPACELESS
from whisper_normalizer.english import EnglishTextNormalizer

from asr_scaling.core.text.normalisers import Auto, named, without_brackets
from asr_scaling.core.text.one_form import one_form
from asr_scaling.core.text.scripts import words_of

WHISPER = EnglishTextNormalizer()


def test_auto_is_english_for_english_and_keeps_marks_elsewhere() -> None:
    texts = [SPACED["English"], SPACED["Hindi"], SPACELESS["Thai"]]
    chosen = Auto().choose(texts, [None] * 3)
    assert [normaliser.english for normaliser in chosen] == [True, False, False]
    assert chosen[0].label.startswith("whisper_english (whisper-normalizer ")
    assert chosen[1].label == "unicode (version 1)"


def test_a_stated_language_decides() -> None:
    chosen = Auto().choose(["hotel taxi", "hotel taxi", "der die"], ["de", "en", "en"])
    assert [normaliser.english for normaliser in chosen] == [False, True, True]


def test_silence_gets_what_most_get() -> None:
    hindi = SPACED["Hindi"]
    chosen = Auto().choose(["", hindi, ""], [None, None, "en"])
    assert [normaliser.english for normaliser in chosen] == [False, False, True]
    assert Auto().choose([""], [None])[0].english


def test_languages_of_one_script_are_told_by_all_references() -> None:
    chosen = Auto().choose(["Taxi", SPACED["German"]], [None, None])
    assert not any(normaliser.english for normaliser in chosen)


@pytest.mark.parametrize("text", SPACED.values(), ids=list(SPACED))
def test_unicode_splits_no_word(text: str) -> None:
    text = text.replace("-", "")
    assert len(words_of(named("unicode")(text))) == len(text.split())


@pytest.mark.parametrize("text", ALL.values(), ids=list(ALL))
def test_unicode_keeps_every_letter_and_mark(text: str) -> None:
    clean = named("unicode")(text + "!?؟।。၊")
    keyboards = str.maketrans("يك", "یک")
    assert _letters(clean) == _letters(one_form(text.casefold()).translate(keyboards))
    assert named("unicode")(f"({text}) [{text}]") == ""


def _letters(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c)[0] in "LM"]


def test_unicode_takes_no_case_punctuation_and_symbols() -> None:
    assert named("unicode")("STRASSE, „Straße“ – 3,5 km/h!") == "strasse strasse 3,5 km h"
    assert named("unicode")("१२ ٣ كي ști") == "12 3 کی şti"
    assert named("unicode")("l·l O‘zbek col·lega") == "l·l o'zbek col·lega"


@given(st.text(alphabet="ab'()[]<>.,$%01 \n", max_size=40))
def test_whispers_rules_are_not_changed(text: str) -> None:
    assert named("whisper_english")(text) == " ".join(str(WHISPER(text)).split())


@pytest.mark.parametrize("mark", ["(", "[", "<"])
@pytest.mark.parametrize("name", ["whisper_english", "leaderboard", "unicode"])
def test_open_brackets_take_no_longer_than_their_text(name: str, mark: str) -> None:
    before = time.monotonic()
    named(name)(mark * 100_000)
    assert time.monotonic() - before < 5


def test_brackets() -> None:
    assert without_brackets("a <b] (c) () (d [e] f") == "a   *) *d  f"
