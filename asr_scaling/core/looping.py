"""Which texts loop: a decoder that repeats what nobody said, often until its window is full."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator

COMPRESSION = 2.4
"""Text that zlib makes smaller by more than this is repetitive (openai/whisper, transcribe.py)."""
PHRASE = 3
"""So many words in a row are a phrase."""
TIMES, TIMES_OF_A_PHRASE = 4, 3
"""So many times in a row is a repetition, of a word or two and of a phrase."""
_LONGEST_PHRASE = 40
"""Units of a phrase at most. A longer phrase that is repeated makes the text compress well."""
_TIMES_INSIDE = 8
"""So many times in a row within one word, as in "hahahahahahahaha", is a repetition."""
_INSIDE = re.compile(rf"([^\W\d_]{{1,4}}?)\1{{{_TIMES_INSIDE - 1},}}")
_IN_NUMERALS = re.compile(r"(?<=\d)[.,](?=\d)")
_WITHOUT_SPACES = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff])"
)
"""Characters of scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese and
Chinese. Each counts as a word here."""


def compression_ratio(text: str) -> float:
    """Bytes of ``text`` in UTF-8 over those that zlib makes of it; 0 for an empty text."""
    raw = text.encode(errors="replace")
    return len(raw) / len(zlib.compress(raw))


def loops(hypothesis: str, reference: str = "") -> bool:
    """True when ``hypothesis`` repeats itself and ``reference`` does not do so as well.

    It repeats itself when its compression ratio is above ``COMPRESSION``, or when a phrase comes
    four times in a row, three times for a phrase of three or more words. The second test is for
    short texts, which don't compress. What somebody really says again and again is in the
    reference too: a repetition counts when it is more than twice as long as the reference's.
    """
    if compression_ratio(hypothesis) > COMPRESSION >= compression_ratio(reference):
        return True
    repeated = max((t for size, t in _times(hypothesis) if t >= _needed(size)), default=0)
    if not repeated:
        return False
    spoken = re.sub(r"(\d)", r" \1 ", reference)  # "0000" may be heard as "zero zero zero zero"
    return repeated > 2 * max((times for _, times in _times(spoken)), default=1)


def _needed(size: int) -> int:
    """How often in a row a phrase of ``size`` units is a repetition; 0 units: a part of a word."""
    if size == 0:
        return _TIMES_INSIDE
    return TIMES if size < PHRASE else TIMES_OF_A_PHRASE


def _times(text: str) -> Iterator[tuple[int, int]]:
    """Units of a phrase, and how often the most repeated phrase of this size comes in a row."""
    folded = unicodedata.normalize("NFC", text).casefold()
    whole = _IN_NUMERALS.sub("", folded)
    spaced = "".join(" " if unicodedata.category(c)[0] in "PSZC" else c for c in whole)
    units = _WITHOUT_SPACES.sub(r" \1 ", spaced).split()
    yield 0, max((len(m[0]) // len(m[1]) for m in _INSIDE.finditer(folded)), default=1)
    for size in range(1, min(_LONGEST_PHRASE, len(units) // 2) + 1):
        most = equal = 0
        for i in range(size, len(units)):
            equal = equal + 1 if units[i] == units[i - size] else 0
            most = max(most, equal)
        yield size, 1 + most // size
