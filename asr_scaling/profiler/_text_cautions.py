"""What a reader must know of the texts behind a WER: scripts, languages, silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.text.normalisers import Normaliser
from asr_scaling.core.text.one_form import one_form
from asr_scaling.core.text.scripts import is_english, other_than_latin, spaceless_share

_MOST, _SOME = 0.5, 0.01
"""Shares of letters from which a script has a say: over the headline, and over a caution."""


def headline(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Tag ``quality/headline``: "cer" where most letters are of scripts without spaces."""
    share = spaceless_share(one_form(row["reference"]) for row in rows)
    return {"quality/headline": "cer"} if share > _MOST else {}


def text_cautions(
    rows: Sequence[Mapping[str, Any]], used: Sequence[Callable[[str], str]], asked: bool
) -> tuple[Caution, ...]:
    """On English rules for other texts, on scripts without spaces, and on empty references.

    used: the normaliser of each row.
    asked: it was chosen by the user, not by language and script.
    """
    return (*_not_english(rows, used, asked), *_spaceless(rows), *_silent(rows))


def _not_english(
    rows: Sequence[Mapping[str, Any]], used: Sequence[Callable[[str], str]], asked: bool
) -> list[Caution]:
    pairs = [(one_form(row["reference"]), own) for row, own in zip(rows, used, strict=True)]
    english = [(t, own) for t, own in pairs if isinstance(own, Normaliser) and own.english]
    texts = [text for text, _ in english]
    found = _shares(texts)
    if not found and (not asked or is_english(texts)):
        return []
    seen = found or "do not look like English"
    return [caution("EnglishNormaliser", normaliser=english[0][1].label, seen=seen)]


def _shares(texts: Sequence[str]) -> str:
    """ "are 97 % Devanagari", of the scripts but Latin that have a say; or nothing."""
    letters = sum(c.isalpha() for text in texts for c in text)
    scripts = sum((other_than_latin(text) for text in texts), Counter[str]())
    if scripts.total() <= _SOME * letters:
        return ""
    return "are " + ", ".join(f"{n / letters:.0%} {s}" for s, n in scripts.most_common(3))


def _spaceless(rows: Sequence[Mapping[str, Any]]) -> list[Caution]:
    texts = [one_form(row["reference"]) for row in rows]
    share = spaceless_share(texts)
    if share <= _SOME:
        return []
    return [caution("ScriptWithoutSpaces", share=share, scripts=_shares(texts))]


def _silent(rows: Sequence[Mapping[str, Any]]) -> list[Caution]:
    silent = [row for row in rows if "invented_words" in row]
    if not silent:
        return []
    words = sum(row["invented_words"] for row in silent)
    names = ", ".join(str(row["id"]) for row in silent[:3]) + (", …" if len(silent) > 3 else "")
    return [caution("EmptyReferences", silent=len(silent), names=names, words=words)]
