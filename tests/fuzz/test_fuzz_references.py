"""Texts in many scripts: a typographic variant of a reference scores 0 against it under every
normaliser, a changed word counts as one, and nothing that a text holds ends a point."""

from __future__ import annotations

import string
import unicodedata

from hypothesis import strategies as st
from support.fuzzing import cases
from support.texts import ALL, SPACED, SPACELESS

from asr_scaling.core.record import Findings
from asr_scaling.profiler.quality import NORMALISERS, normaliser, score

SPACES = (
    "\u00a0\u1680\u2002\u2003\u2007\u2009\u200a\u202f\u205f\u3000\u2028\u2029\x85\t\n\r\x0b\x0c"
)
INVISIBLE = "\u00ad\u034f\u061c\u200b\u200e\u200f\u202a\u202c\u2060\u2066\u2069\ufe0e\ufe0f\ufeff"
APOSTROPHES, QUOTES, HYPHENS = "‘’ʼ′＇`´", "“”„«»″＂", "‐‑‒–"
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
WIDE = {ord(c): ord(c) + 0xFEE0 for c in string.ascii_letters + string.digits}
NUMBERS = (
    "zero one oh two twenty thirty hundred thousand million point and a half double triple minus "
    "plus dollars cents percent per cent 3 0 1.5 1st $2 ¢7 100,000 billions"
)
STRANGE = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789", min_size=4290, max_size=4400),
    st.text(alphabet="([<)]> '\".,%$€£¢-+", max_size=60),
    st.text(alphabet="½⅓²³ⅫⅠ①㎏℃ﷺ︎…‰∞µΩ", max_size=20),
    st.builds(str.__mul__, st.sampled_from(["(", "[", "'", "\u0301\u0327", "0 ", "ha", "\u200d"]),
              st.integers(1, 20_000)),
    st.lists(
        st.sampled_from(NUMBERS.split()),
        max_size=12,
    ).map(" ".join),
)  # fmt: skip
"""Texts that a loop, an encoder or a tired typist writes."""
PLAIN_ENGLISH = "the quick brown fox jumps over a lazy dog"


def scored(reference: str, hypothesis: str, by: str) -> Findings:
    normalise, label = normaliser(by)
    return score([("u", reference, hypothesis)], normalise, {"quality/normaliser": label})


def values(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


@st.composite
def variants(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and the same as another keyboard, word processor or encoder writes it."""
    text, out = ALL[draw(st.sampled_from(sorted(ALL)))], list[str]()
    for letter in text:
        alike = {" ": (*SPACES, "\r\n", "  "), "'": APOSTROPHES, '"': QUOTES, "-": HYPHENS}
        out.append(draw(st.sampled_from([letter, *alike.get(letter, "")])))
        out.append(draw(st.sampled_from(["", "", "", *INVISIBLE])))
    written = unicodedata.normalize(draw(st.sampled_from(FORMS)), "".join(out))
    around = draw(st.sampled_from(["", "\ufeff", " ", "\u200f"]))
    return text, around + (written.translate(WIDE) if draw(st.booleans()) else written) + around


@cases("references", case=variants(), by=st.sampled_from(NORMALISERS))
def test_a_typographic_variant_of_a_perfect_text_has_no_error(
    case: tuple[str, str], by: str
) -> None:
    text, variant = case
    for reference, hypothesis in (case, (variant, text)):
        found = values(scored(reference, hypothesis, by))
        assert found["quality/wer"] == found["quality/cer"] == 0, hypothesis


@cases(
    "changed words",
    language=st.sampled_from(sorted(SPACED)),
    by=st.sampled_from(["auto", "unicode", "none"]),
    place=st.integers(0, 99),
)
def test_a_changed_word_is_one_error_of_so_many_words(language: str, by: str, place: int) -> None:
    words = PLAIN_ENGLISH.split() if language == "English" else SPACED[language].split()
    changed = list(words)
    changed[place % len(words)] *= 2
    found = values(scored(" ".join(words), " ".join(changed), by))
    assert found["quality/wer"] == 1 / len(words)


@cases("changed letters", language=st.sampled_from(sorted(SPACELESS)), place=st.integers(0, 99))
def test_a_changed_letter_is_one_error_where_words_have_no_spaces(
    language: str, place: int
) -> None:
    text = SPACELESS[language]
    places = [i for i, c in enumerate(text) if unicodedata.category(c) == "Lo"]
    at = places[place % len(places)]
    other = next(c for c in text if unicodedata.category(c) == "Lo" and c != text[at])
    findings = scored(text, text[:at] + other + text[at + 1 :], "auto")
    letters = len(unicodedata.normalize("NFKC", text).replace(" ", ""))
    assert values(findings)["quality/cer"] == 1 / letters
    assert findings.tags["quality/headline"] == "cer"
    assert "ScriptWithoutSpaces" in {caution.kind for caution in findings.cautions}


@cases("strange texts", reference=STRANGE, hypothesis=STRANGE, by=st.sampled_from(NORMALISERS))
def test_no_text_ends_a_point(reference: str, hypothesis: str, by: str) -> None:
    findings = scored(reference, hypothesis, by)
    (row,) = findings.transcripts
    assert (row["reference"], row["hypothesis"]) == (reference, hypothesis)
    why = findings.unavailable.get("quality/wer", "")
    assert ("quality/wer" in values(findings)) != bool(why)
    assert not why or "'u'" in why or why == "no utterance has a reference"
