"""What is said of texts whose WER means less than it seems."""

from __future__ import annotations

import pytest
from support.texts import SPACED, SPACELESS

from asr_scaling.core.record import Findings
from asr_scaling.profiler.quality import normaliser, score


def scored(text: str, name: str) -> Findings:
    return score([("u", text, text)], normaliser(name)[0], {})


def kinds(text: str, name: str) -> list[str]:
    return [caution.kind for caution in scored(text, name).cautions]


@pytest.mark.parametrize("language", ["Hindi", "German", "Russian", "Arabic"])
def test_english_rules_on_another_language(language: str) -> None:
    assert kinds(SPACED[language], "whisper_english") == ["EnglishNormaliser"]
    assert kinds(SPACED[language], "leaderboard") == ["EnglishNormaliser"]
    assert kinds(SPACED[language], "auto") == []
    assert kinds(SPACED["English"], "whisper_english") == []


def test_it_names_the_script() -> None:
    (caution,) = scored(SPACED["Hindi"], "whisper_english").cautions
    assert "the references are 100% Devanagari" in caution.message


@pytest.mark.parametrize("language", SPACELESS)
def test_scripts_without_spaces_lead_with_cer(language: str) -> None:
    findings = scored(SPACELESS[language], "auto")
    assert [caution.kind for caution in findings.cautions] == ["ScriptWithoutSpaces"]
    assert findings.tags["quality/headline"] == "cer"
    assert "quality/headline" not in scored(SPACED["Hindi"], "auto").tags


def test_empty_references_are_named() -> None:
    pairs = [("a", "", "thank you"), ("b", "[noise]", ""), ("c", "yes", "yes")]
    (caution,) = score(pairs, normaliser("auto")[0], {}).cautions
    assert caution.kind == "EmptyReferences"
    assert "is empty in 2 of the utterances (a, b)" in caution.message
    assert "2 words were invented" in caution.message
