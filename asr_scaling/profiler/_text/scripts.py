"""Which script a text is in, whether that has spaces between words, and whether it is English."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regex import Pattern

_SPACELESS = (
    "Han Hiragana Katakana Bopomofo Yi Thai Lao Khmer Myanmar Tibetan Tai_Tham New_Tai_Lue Tai_Le "
    "Tai_Viet Javanese Balinese"
)
"""Scripts that are written without spaces between words."""
_ENGLISH = (
    "the of and that it for with his she you not are this have they from were which but what there "
    "their would been i my is he your can will do how"
)
_OTHERS = (
    # German, Dutch, Danish, Norwegian, Swedish, Icelandic, Finnish, Estonian
    "der das und ist nicht ein eine ich zu mit den auf het een niet dat ik og er på ikke jeg "
    "til av som att det är jag inte och að það og ekki ég ja ei että se oli ning kui "
    # French, Spanish, Catalan, Portuguese, Italian, Romanian, Latin
    "le la les et est des une que pas pour dans il je el los del y por las para però amb os não "
    "um uma da em che di non sono della este și să în nu est quod "
    # Polish, Czech, Slovak, Slovene, Croatian, Hungarian, Lithuanian, Latvian, Albanian
    "nie się na jest że z w je ne že si v sa som ali bi su egy nem az hogy ir kad ka dhe një të "
    # Turkish, Indonesian, Malay, Tagalog, Vietnamese, Swahili, Welsh, Irish, Basque, Afrikaans
    "bir ve bu için ne yang dan itu dengan untuk ini ang ng sa mga là và của không wa kwa ni yn "
    "mae agus tá eta da nie"
)
"""Words as frequent in languages of the Latin script as ``_ENGLISH`` are in English."""
_FOREIGN_SHARE = 0.1
"""Up to this share of letters of other scripts, as of α in a text on biology, a text is Latin."""


def words_of(text: str) -> list[str]:
    """The words whose errors are counted: what white space separates.

    In scripts without spaces every character is one, with its marks, so that mixed texts count
    characters of the one script and words of the other (the mixed error rate of code-switching).
    """
    _, spaceless, _ = _patterns()
    return str(spaceless.sub(r" \g<0> ", text)).split()


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


def is_english(texts: Iterable[str]) -> bool:
    """Whether texts in the Latin script are taken for English, by their most frequent words.

    They are unless words of another language outnumber English ones, or a letter in forty has an
    accent, so that what can't be told is English.
    """
    ours, theirs = frozenset(_ENGLISH.split()), frozenset(_OTHERS.split())
    words = [word.strip(".,;:!?\"'()-") for text in texts for word in text.lower().split()]
    english = sum(word.partition("'")[0] in ours for word in words)
    others = sum(word in theirs for word in words)
    letters = [c for word in words for c in word if c.isalpha()]
    accented = sum(not c.isascii() for c in letters)
    return english >= others and 40 * accented <= len(letters)


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
