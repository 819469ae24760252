"""The language that references look like: it is told where it is sure, and nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_scaling.core.language_guess import looks_like_another

DEMO = Path(__file__).parents[2] / "asr_scaling" / "dataset" / "demo_data" / "manifest.jsonl"
ENGLISH = tuple(json.loads(line)["text"] for line in DEMO.read_text().splitlines())
SENTENCES = {
    "en": "The weather is fine today, and we are going to walk along the river after lunch.",
    "de": "Das Wetter ist heute schön, und nach dem Essen gehen wir am Fluss spazieren.",
    "fr": "Il fait beau aujourd'hui, et nous allons nous promener le long de la rivière.",
    "es": "Hoy hace buen tiempo, y después de comer vamos a pasear por la orilla del río.",
    "it": "Oggi il tempo è bello, e dopo pranzo andiamo a passeggiare lungo il fiume.",
    "nl": "Het is vandaag mooi weer, en na het eten gaan we langs de rivier wandelen.",
    "pl": "Dzisiaj jest ładna pogoda, a po obiedzie idziemy na spacer wzdłuż rzeki.",
    "tr": "Bugün hava güzel, öğle yemeğinden sonra nehir boyunca yürüyüşe çıkacağız.",
    "fi": "Tänään on kaunis sää, ja lounaan jälkeen lähdemme kävelylle joen rantaan.",
    "ru": "Сегодня хорошая погода, и после обеда мы пойдём гулять вдоль реки.",
    "el": "Σήμερα ο καιρός είναι καλός και μετά το φαγητό θα περπατήσουμε στο ποτάμι.",
    "hi": "आज मौसम अच्छा है और दोपहर के खाने के बाद हम नदी के किनारे टहलने जाएंगे।",
    "ar": "الطقس جميل اليوم وسنذهب بعد الغداء في نزهة على ضفة النهر.",
    "zh": "今天天气很好，午饭以后我们打算沿着河边散步，然后回家喝茶看书。",
    "ja": "今日は天気がいいので、昼ご飯のあとで川沿いを散歩します。",
    "ko": "오늘은 날씨가 좋아서 점심을 먹은 뒤에 강을 따라 산책을 합니다.",
}
"""One sentence about a walk along a river."""


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_known_for_what_it_is(language):
    text = (SENTENCES[language],)
    assert looks_like_another(text, [language]) is None
    other = "en" if language != "en" else "de"
    assert looks_like_another(text, [other]) == language
    assert looks_like_another(text, [other, language]) is None


@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_english_is_never_taken_for_another_language(change):
    texts = [change(text) for text in ENGLISH]
    assert looks_like_another(tuple(texts), ["en"]) is None
    assert [text for text in texts if looks_like_another((text,), ["en"])] == []


@pytest.mark.parametrize("text", ["", "Yes.", "Hello", "Mr. Smith", "Guten Morgen", "12 34", "да"])
def test_too_short_a_text_is_not_judged(text):
    assert looks_like_another((text,), ["en"]) is None


def test_several_short_texts_are_judged_together():
    words = tuple(SENTENCES["de"].split())
    assert looks_like_another(words, ["en"]) == "de"


@pytest.mark.parametrize("expected", [[], ["haw"], ["en", "yi"]])
def test_without_knowing_the_expected_language_nothing_is_said(expected):
    assert looks_like_another((SENTENCES["de"],), expected) is None


def test_languages_that_are_written_alike_are_not_told_apart():
    nynorsk = "Eg veit ikkje kva du heiter, men me kan gå heim saman etter skulen i morgon."
    assert looks_like_another((nynorsk,), ["no"]) is None
    assert looks_like_another((nynorsk,), ["nn"]) is None
    assert looks_like_another((nynorsk,), ["en"]) in ("no", "nn")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(max_size=60), max_size=5), st.sampled_from(["en", "de", "zh", "yue"]))
def test_any_text_can_be_judged(texts, expected):
    assert looks_like_another(tuple(texts), [expected]) != expected
