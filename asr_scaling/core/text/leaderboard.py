"""The rules of the Open ASR Leaderboard for English, as far as they differ from Whisper's.

Source: github.com/huggingface/open_asr_leaderboard at d1e99b2 (2026-08-21), folder ``normalizer``.
Written anew. Its tables of names and of more spellings are left out; its rule for compounds is
kaldialign's, in core/text/edits.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_FILLERS = "hmm mm mhm mmm uh um ah aha ahh ahm eh ehehe em hm huh hum mhum uhm umm uhuh"
_IS = "it he she what that who here there how when where why this"
"""Words after which "'s" is "is"; after others it may be a genitive and stays."""
_NOT_EXPANDED = ("kinda", "sorta", "dunno", "cause")
_PHRASES = {"et cetera": "etc", "all right": "alright"}
_LETTERS = re.compile(r"(?<!\S)[^\W_](?: [^\W_](?!\S))+")
"""A run of single characters, as an acronym that is spelt."""


def leaderboard_rules() -> Callable[[str], str]:
    """English text → its words."""
    from whisper_normalizer.english import EnglishTextNormalizer

    rules = EnglishTextNormalizer()
    rules.ignore_patterns = rf"\b({'|'.join(_FILLERS.split())})\b"
    is_after = (rf"\b({'|'.join(_IS.split())})'s\b", r"\1 is")
    rules.replacers = dict(
        is_after if pattern == r"'s\b" else (pattern, words)
        for pattern, words in rules.replacers.items()
        if not any(word in pattern for word in _NOT_EXPANDED)
    )
    phrases = re.compile(rf"\b({'|'.join(_PHRASES)})\b")

    def normalised(text: str) -> str:
        words = " ".join(str(rules(text)).split())
        words = phrases.sub(lambda match: _PHRASES[match[0]], words)
        return _LETTERS.sub(_joined, words)

    return normalised


def _joined(run: re.Match[str]) -> str:
    """An acronym as one word; "a" and "i" may be words, so that with them it takes three."""
    letters = run[0].split()
    common = not {"a", "i"}.isdisjoint(letters)
    return "".join(letters) if len(letters) >= (3 if common else 2) else run[0]
