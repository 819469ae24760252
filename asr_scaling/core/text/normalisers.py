"""Normalisers: what is done to reference and hypothesis alike before their words are compared."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.text.leaderboard import leaderboard_rules
from asr_scaling.core.text.one_form import one_form
from asr_scaling.core.text.scripts import is_latin, which_are_english, without_needless_spaces

AUTO = "auto"
NORMALISERS = (AUTO, "whisper_english", "leaderboard", "unicode", "none")
_UNICODE_VERSION = "1"
"""To be raised when ``_unicode_rules`` gives another text."""

_KEYBOARDS = str.maketrans({"ي": "ی", "ك": "ک", "ș": "ş", "ț": "ţ"})
"""Arabic yeh and kaf for Persian ones, commas for cedillas: nobody hears which was typed."""


@dataclass(frozen=True)
class Normaliser:
    """The rules of one normaliser, for texts that ``one_form`` has brought to one form.

    label: its name, with the version of the package that its rules are from.
    rules: text → text in which only words are left.
    english: the rules are made for English.
    compounds: words that differ only in how a compound is split ("white paper") count as equal.
    """

    label: str
    rules: Callable[[str], str]
    english: bool = False
    compounds: bool = False

    def __call__(self, text: str) -> str:
        """The normalised text. Raises what the rules raise for a text that they can't take."""
        return self.rules(one_form(text)).strip()


@dataclass(frozen=True)
class Auto:
    """Whisper's English normaliser for English, ``unicode`` for all else."""

    label: str = AUTO

    def __call__(self, text: str) -> str:
        """``text`` by the normaliser that it would get as the only reference."""
        return self.choose([text], [None])[0](text)

    def choose(
        self, references: Sequence[str], languages: Sequence[str | None]
    ) -> list[Normaliser]:
        """The normaliser of each utterance.

        By the language that is stated for it; else English where its reference is in the Latin
        script and such references don't look like another language. Silence of no stated language
        gets what most of the others get.
        """
        forms = [one_form(reference) for reference in references]
        given = list(zip(forms, languages, strict=True))
        latin = [form for form, language in given if language is None and is_latin(form)]
        looks = dict(zip(latin, which_are_english(latin), strict=True))
        english, other = named("whisper_english"), named("unicode")
        chosen = [
            english if (looks.get(form, False) if language is None else language == "en") else other
            for form, language in given
        ]
        spoken = [own for own, (form, language) in zip(chosen, given, strict=True) if form]
        most = english if 2 * spoken.count(english) >= len(spoken) else other
        return [
            own if form or language else most
            for own, (form, language) in zip(chosen, given, strict=True)
        ]


def check_normaliser(option: str, name: str) -> None:
    """Raises ConfigError unless ``name`` is in ``NORMALISERS``."""
    must_be(option, f"'{name}'", name in NORMALISERS, f"one of {NORMALISERS}")


def normaliser(name: str) -> tuple[Auto | Normaliser, str]:
    """The normaliser of a name in ``NORMALISERS``, and its label with its version."""
    chosen = Auto() if name == AUTO else named(name)
    return chosen, chosen.label


def named(name: str) -> Normaliser:
    """The normaliser of a name in ``NORMALISERS`` that is not ``AUTO``."""
    if name == "none":
        return Normaliser("none", str)
    if name == "unicode":
        return Normaliser(f"unicode (version {_UNICODE_VERSION})", _unicode_rules)
    whisper = f"whisper-normalizer {version('whisper-normalizer')}"
    if name == "leaderboard":
        label = f"leaderboard (rules of 2026-08, {whisper}, kaldialign {version('kaldialign')})"
        rules = _leaderboard()
        return Normaliser(label, rules, english=True, compounds=True)
    return Normaliser(f"whisper_english ({whisper})", _whisper_english(), english=True)


def without_brackets(text: str) -> str:
    """``text`` without what stands in brackets: [laughs], <noise>, (coughs).

    As Whisper's normalisers do, but in linear time: their expressions look for an end from every
    bracket that nothing closes, which become asterisks here (both are no part of a word).
    """
    text = _cut(_cut(text, "<[", ">]", least=0), "(", ")", least=1)
    return re.sub(r"[<\[(]", "*", text)


def _cut(text: str, openers: str, closers: str, least: int) -> str:
    """``text`` without each opener, at least ``least`` characters, and the next closer."""
    kept, start = list[str](), 0
    is_opener, is_closer = (re.compile(f"[{re.escape(marks)}]") for marks in (openers, closers))
    place = 0
    while opener := is_opener.search(text, place):
        closer = is_closer.search(text, opener.end())
        if closer is None:
            break
        if closer.start() - opener.end() < least:
            place = opener.end()
            continue
        kept.append(text[start : opener.start()])
        start = place = closer.end()
    return "".join([*kept, text[start:]])


@functools.cache
def _whisper_english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    rules = EnglishTextNormalizer()
    return lambda text: str(rules(without_brackets(text)))


@functools.cache
def _leaderboard() -> Callable[[str], str]:
    rules = leaderboard_rules()
    return lambda text: rules(without_brackets(text))


def _unicode_rules(text: str) -> str:
    """For any language: case and punctuation go, letters, vowel signs and marks stay.

    What is in brackets goes, and so do symbols. An apostrophe between letters (п'ять, oʻzbek) and a
    separator between digits (3,5) stay, so that no word becomes two. Digits of any script become
    ASCII ones, and letters that another keyboard types in place of the same (Persian, Romanian)
    become one.
    """
    text = unicodedata.normalize("NFKC", without_brackets(text).casefold()).translate(_KEYBOARDS)
    text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    return without_needless_spaces(" ".join(_punctuation().sub(" ", text).split()))


@functools.cache
def _punctuation() -> re.Pattern[str]:
    import regex

    letter, hebrew = r"[\p{L}\p{M}]", r"\p{Script=Hebrew}"
    kept = (
        rf"(?<={letter})['·](?=\p{{L}})",
        rf'(?<={hebrew})"(?={hebrew})',
        r"(?<=\p{Nd})[.,٫٬](?=\p{Nd})",
    )
    pattern: re.Pattern[str] = regex.compile(
        rf"(?:{'|'.join(kept)})(*SKIP)(*FAIL)|[\p{{P}}\p{{S}}]"
    )
    return pattern
