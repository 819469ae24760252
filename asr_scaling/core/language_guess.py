"""Which language a text looks like, to tell references that a model was not asked for."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

from asr_scaling.core.language import language_code

LETTERS = 40
"""A text whose letters have fewer bytes in UTF-8 is too short to tell its language."""
SURE = 0.9
"""Least probability of the language that a text looks like …"""
EXCLUDED = 0.01
"""… and most probability of the languages that it should be in, for it to be another one."""
_MOST = 20_000
"""Characters of a text that are looked at."""
_LIKE = {"nn": "no", "bs": "hr", "sr": "hr", "ms": "id", "yue": "zh", "pcm": "en"}
_LIKE |= {"ary": "ar", "arz": "ar"}
"""Language → another one, whose texts are too much alike to call one for the other a mistake."""


def looks_like_another(texts: tuple[str, ...], languages: Collection[str]) -> str | None:
    """The language that ``texts`` look like, all together, where it is none of ``languages``.

    None where they are too short, where their language is not sure, and where one of ``languages``
    is not known here.
    """
    ranked = _ranked(texts)
    if not ranked or not languages:
        return None
    alike: dict[str, float] = {}
    for code, probability in ranked.items():
        own = _LIKE.get(code, code)
        alike[own] = alike.get(own, 0.0) + probability
    expected = {_LIKE.get(code, code) for code in languages}
    best = max(ranked, key=ranked.__getitem__)
    sure = alike[_LIKE.get(best, best)] >= SURE and expected <= set(alike)
    return best if sure and sum(alike[code] for code in expected) < EXCLUDED else None


@functools.lru_cache(maxsize=16)
def _ranked(texts: tuple[str, ...]) -> dict[str, float]:
    """Language → probability that ``texts`` are in it (py3langid); empty for too few letters."""
    text = " ".join(texts)[:_MOST]
    letters = "".join(filter(str.isalpha, text))
    if len(letters.encode(errors="replace")) < LETTERS:
        return {}
    found: dict[str, float] = {}
    for own, probability in _identifier().rank(text):
        code = language_code(own) or own
        found[code] = found.get(code, 0.0) + probability
    return found


def forget() -> None:
    """Give back the identifier's memory, which would count as that of the next point."""
    _identifier.cache_clear()


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
