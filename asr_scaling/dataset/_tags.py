"""GigaSpeech's tags: words in angle brackets that nobody said.

Source: the ``text_tn`` entry of https://github.com/SpeechColab/GigaSpeech, "We keep 4 punctuations in the normalized
text" and "garbage utterance tags".
"""

from __future__ import annotations

import re

PUNCTUATION = {"COMMA": ",", "PERIOD": ".", "QUESTIONMARK": "?", "EXCLAMATIONPOINT": "!"}
GARBAGE = ("SIL", "MUSIC", "NOISE", "OTHER")
MODES = ("map", "drop", "keep")

_PUNCTUATION = re.compile(rf"<({'|'.join(PUNCTUATION)})>", re.IGNORECASE)
_GARBAGE = re.compile(rf"<({'|'.join(GARBAGE)})>", re.IGNORECASE)


def garbage(text: str) -> str | None:
    """The first tag ("MUSIC") that marks an utterance without a usable transcript, or None."""
    found = _GARBAGE.search(text)
    return found[1].upper() if found else None


def clean(text: str, tags: str) -> str:
    """``text`` with its punctuation tags mapped, dropped or kept; words and their order never change.

    "map" writes the mark right after the word before it (a mark before the first word goes), "drop" removes the
    tags, "keep" leaves them as words, which adds tens of points of WER: only to show that effect. White space
    becomes single spaces.
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
