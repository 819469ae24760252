"""Codes of languages in the ways that people, datasets and models write them."""

from __future__ import annotations

import pytest
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from asr_scaling.core.language import language_code, language_name
from asr_scaling.core.model_spec import load_spec
from asr_scaling.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("de", "de"),
        (" DE ", "de"),
        ("de-DE", "de"),
        ("de_de", "de"),
        ("deu", "de"),
        ("German", "de"),
        ("eng_Latn", "en"),
        ("zh-CN", "zh"),
        ("cmn_hans_cn", "zh"),
        ("mandarin", "zh"),
        ("yue", "yue"),
        ("nb_NO", "no"),
        ("nn-NO", "nn"),
        ("iw", "he"),
        ("jw", "jv"),
        ("jv", "jv"),
        ("tl", "fil"),
        ("fil", "fil"),
        ("haw", "haw"),
        (False, "no"),
    ],
)
def test_every_way_of_writing_a_language_gives_one_code(written, code):
    assert language_code(written) == code


@pytest.mark.parametrize(
    "written", ["", "xx", "auto", "None", "und", "mul", "zxx", "speech", "d\0e", "12", True]
)
def test_what_is_no_language_has_no_code(written):
    assert language_code(written) is None


@pytest.mark.parametrize(("name", "code"), TO_LANGUAGE_CODE.items())
def test_names_and_codes_of_whisper_mean_the_same(name, code):
    assert language_code(name) == language_code(code) is not None


def test_a_language_is_shown_by_its_name_and_code():
    assert language_name("de") == "German (de)"
    assert language_name("jv") == "Javanese (jv)"
    assert language_name("hsb") == "hsb"


@pytest.mark.parametrize(
    ("model", "language", "reason"),
    [
        ("whisper_tiny_en", "de", "only English (en): choose whisper_tiny, whisper_base or"),
        ("wav2vec2", "fr", "only English (en): choose"),
        ("moonshine_base", "german", "only English (en): choose"),
        ("distil_whisper_large_v3", "de", "only English (en): choose"),
        ("whisper_base", "yue", "99 other languages: choose whisper_large_v3, "),
        ("whisper_large_v3", "hsb", "100 other languages: choose a model that knows it"),
        ("parakeet_tdt", "ja", "25 other languages: choose"),
        ("whisper_base", "xx", "no language: give a code such as en, de or yue"),
        ("whisper_base", "", "no language: give a code"),
        ("whisper_base", True, "no language: give a code"),
        ("whisper_base", 7, "no language: give a code"),
    ],
)
def test_a_language_that_a_model_can_t_take_is_refused_with_what_can(model, language, reason):
    with pytest.raises(ConfigError, match="language=") as refused:
        load_spec(model, language=language)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("model", "language", "stated", "asked"),
    [
        ("whisper_base", None, None, None),
        ("whisper_base", None, "de", "de"),
        ("whisper_base", None, "ga", None),
        ("whisper_base", None, "yue", None),
        ("whisper_large_v3", None, "yue", "yue"),
        ("whisper_base", "auto", "de", None),
        ("whisper_base", "fr", "de", "fr"),
        ("whisper_base", "jw", None, "jv"),
        ("whisper_base", False, None, "no"),
        ("whisper_tiny_en", None, None, "en"),
        ("whisper_tiny_en", None, "de", "en"),
        ("whisper_tiny_en", "auto", "de", "en"),
        ("distil_whisper_large_v3", None, None, "en"),
        ("parakeet_tdt", None, "de", "de"),
    ],
)
def test_what_a_model_is_asked_for(model, language, stated, asked):
    assert load_spec(model, language=language).asked_for(stated) == asked
