"""One Unicode form for all texts, so that what reads alike is also written alike.

Source: Unicode Standard Annex 15 (normalisation forms), and the property
Default_Ignorable_Code_Point for marks that nobody sees.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regex import Match, Pattern

VERSION = "1"
"""To be raised when the same text gets another form."""
_ALIKE = {
    "'": "‘’‚‛‹›′‵ʹʻʼʽ`´՚׳ꞌ＇",
    '"': "“”„‟«»″‶〝〞〟״＂",
    "-": "‐‑‒–−",
}
"""ASCII character → those that are typed or printed in its place."""
_TATWEEL = "\u0640"
"""Stretches an Arabic word on the page; no sound."""
_CHILLU = {"ണ": "ൺ", "ന": "ൻ", "ര": "ർ", "ല": "ൽ", "ള": "ൾ", "ക": "ൿ"}
"""Malayalam letters that were once written as letter, virama and joiner."""
_VIRAMA, _KHANDA_TA = "\u0d4d", ("ত\u09cd\u200d", "ৎ")
_JOINING = (
    "Arabic Syriac Mongolian Nko Mandaic Manichaean Devanagari Bengali Gurmukhi Gujarati Oriya "
    "Tamil Telugu Kannada Malayalam Sinhala Khmer Myanmar Tibetan Balinese Javanese Brahmi Kaithi "
    "Chakma Sharada"
)
"""Scripts in which a joiner or non-joiner inside a word changes how it is read."""


def one_form(text: str) -> str:
    """``text`` in one form: NFKC, ASCII apostrophes, quotes and hyphens, single ASCII spaces.

    NFKC and not NFC, since full-width digits and letters, half-width kana, ligatures and Arabic
    presentation forms are other shapes of the same characters. Marks that nobody sees are removed:
    byte order marks, soft hyphens, marks of direction, variation selectors, zero-width characters.
    Joiners stay inside words of scripts where they matter (Persian, Hindi). No letter, vowel sign
    or mark is lost.
    """
    while (tidier := _once(text)) != text:
        text = tidier
    return text


def _once(text: str) -> str:
    alike, invisible, joiners, marks = _tables()
    text = text.translate(alike).replace(*_KHANDA_TA)
    for before, letter in _CHILLU.items():
        text = text.replace(f"{before}{_VIRAMA}\u200d", letter)
    text = " ".join(text.split())
    if text.isascii():
        return str(invisible.sub("", text))
    text = marks.sub(_sorted, joiners.sub("", invisible.sub("", text)))
    return unicodedata.normalize("NFKC", text)


def _sorted(run: Match) -> str:
    """Marks in their canonical order, which ``unicodedata`` takes quadratic time for."""
    return "".join(sorted(run[0], key=unicodedata.combining))


@functools.cache
def _tables() -> tuple[dict[int, str | None], Pattern, Pattern, Pattern]:
    """What single characters become; invisible ones, needless joiners, and long runs of marks."""
    import regex

    alike: dict[int, str | None] = {ord(_TATWEEL): None}
    alike |= {ord(other): own for own, others in _ALIKE.items() for other in others}
    joining = "[{}]".format("".join(rf"\p{{Script={name}}}" for name in _JOINING.split()))
    kept = rf"(?<={joining})[\u200c\u200d](?=[\u200c\u200d]*{joining})"
    invisible = r"[[\p{Default_Ignorable_Code_Point}\p{Cc}\ufeff]--[\u200c\u200d]]+"
    return (
        alike,
        regex.compile(invisible, regex.V1),
        regex.compile(rf"{kept}(*SKIP)(*FAIL)|[\u200c\u200d]"),
        regex.compile(r"\P{Canonical_Combining_Class=0}{30,}"),
    )
