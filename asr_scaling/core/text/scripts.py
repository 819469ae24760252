"""The script of a text, whether that has spaces between words, and whether a text is English."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from asr_scaling.core.language_guess import looks_like_another

if TYPE_CHECKING:
    from regex import Pattern

_SPACELESS = (
    "Han Hiragana Katakana Bopomofo Yi Thai Lao Khmer Myanmar Tibetan Tai_Tham New_Tai_Lue Tai_Le "
    "Tai_Viet Javanese Balinese"
)
"""Scripts that are written without spaces between words."""
_ACCENTED, _MIXED = 40, 10
_FOREIGN_SHARE = 0.1
"""Up to this share of letters of other scripts, as of α in a text on biology, a text is Latin."""


def words_of(text: str) -> list[str]:
    """The words whose errors are counted: what white space separates.

    In scripts without spaces every character is one, with its marks, so that mixed texts count
    characters of the one script and words of the other (the mixed error rate of code-switching).
    """
    _, spaceless, _ = _patterns()
    return str(spaceless.sub(r" \g<0> ", text)).split()


def spoken_words(text: str) -> list[str]:
    """The words with a letter or a digit: "..." is none, which normalisers of others leave."""
    return [word for word in words_of(text) if any(map(str.isalnum, word))]


def without_needless_spaces(text: str) -> str:
    """``text`` without the spaces beside characters of scripts that have none between words."""
    _, _, beside = _patterns()
    return str(beside.sub("", text))


def spaceless_share(texts: Iterable[str]) -> float:
    """Share of the letters that are of scripts without spaces between words."""
    letters, spaceless, _ = _patterns()
    whole = "".join(text for text in texts)
    count = len(letters.findall(whole))
    return len(spaceless.findall(whole)) / count if count else 0.0


def other_than_latin(text: str) -> Counter[str]:
    """Name of a script, as Unicode's names of its letters begin → letters, of all but Latin."""
    scripts = Counter(_script(c) for c in text if c.isalpha())
    del scripts["Latin"]
    return scripts


def is_latin(text: str) -> bool:
    """Whether all but a few letters are Latin; so is a text without letters."""
    letters = sum(c.isalpha() for c in text)
    return other_than_latin(text).total() <= _FOREIGN_SHARE * letters


def is_english(texts: Sequence[str]) -> bool:
    """Whether texts in the Latin script, all together, are taken for English.

    They are unless they look like another language or one letter in forty has an accent, so that
    what can't be told is English.
    """
    letters = [c for text in texts for c in text if c.isalpha()]
    accented = sum(not c.isascii() for c in letters)
    plain = _ACCENTED * accented <= len(letters)
    return plain and looks_like_another(tuple(texts), ("en",)) is None


def which_are_english(texts: Sequence[str]) -> list[bool]:
    """Whether each text in the Latin script is taken for English.

    All or none, by what all together look like, because single sentences mislead; where one in ten
    of those that can be told is of the other kind, each by what it looks like.
    """
    most = is_english(texts)
    others = [not is_english([text]) for text in texts]
    surely = [looks_like_another((text,), ("de",)) == "en" for text in texts]
    told = sum(others) + sum(surely)
    if _MIXED * min(sum(others), sum(surely)) < told or not told:
        return [most] * len(texts)
    return [most if other == sure else sure for other, sure in zip(others, surely, strict=True)]


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "unknown").split()[0].title()
    return {"Cjk": "Han", "Fullwidth": "Latin", "Modifier": "Latin"}.get(name, name)


@functools.cache
def _patterns() -> tuple[Pattern, Pattern, Pattern]:
    """A letter; a character of a script without spaces; a space beside one."""
    import regex

    classes = "".join(rf"\p{{Script={name}}}" for name in _SPACELESS.split())
    one = f"[{classes}ー]"
    return (
        regex.compile(r"\p{L}"),
        regex.compile(rf"{one}[\p{{M}}\u200c\u200d]*"),
        regex.compile(f"(?<={one}) +| +(?={one})"),
    )
