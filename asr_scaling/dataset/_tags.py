"""GigaSpeech's tags: words in angle brackets for punctuation and noises.

Source: the ``text_tn`` entry of https://github.com/SpeechColab/GigaSpeech, "We keep 4
punctuations in the normalized text" and "garbage utterance tags".
"""

from __future__ import annotations

import re

PUNCTUATION = {"COMMA": ",", "PERIOD": ".", "QUESTIONMARK": "?", "EXCLAMATIONPOINT": "!"}
GARBAGE = ("SIL", "MUSIC", "NOISE", "OTHER")
MODES = ("map", "drop", "keep")

_PUNCTUATION = re.compile(rf"<({'|'.join(PUNCTUATION)})>", re.IGNORECASE)
_GARBAGE = re.compile(rf"<({'|'.join(GARBAGE)})>", re.IGNORECASE)


def garbage(text: str) -> str | None:
    """The first tag, such as "MUSIC", of an utterance without a usable transcript; else None."""
    match = _GARBAGE.search(text)
    return match[1].upper() if match else None


def clean(text: str, tags: str) -> str:
    """``text`` with its punctuation tags mapped, dropped or kept, and with single spaces.

    tags: "map" writes the mark after the word before it, and drops marks before the first word.
        "drop" removes the tags. "keep" leaves them as words, which adds tens of points of WER;
        it is there to show that effect.
    """
    if tags == "keep":
        return " ".join(text.split())
    words: list[str] = []
    for word in _PUNCTUATION.sub(r" <\1> ", text).split():
        tag = _PUNCTUATION.fullmatch(word)
        if tag is None:
            words.append(word)
        elif tags == "map" and words:
            words[-1] += PUNCTUATION[tag[1].upper()]
    return " ".join(words)
