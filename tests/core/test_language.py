"""Codes of languages in the ways that people, datasets and models write them."""

from __future__ import annotations

import pytest
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from asr_scaling.core.language import language_code, language_name


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
