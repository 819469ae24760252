"""GigaSpeech: podcasts, YouTube and audiobooks, English (Chen et al., Interspeech 2021).

Its tags are words in angle brackets for punctuation and noises: the ``text_tn`` entry of
https://github.com/SpeechColab/GigaSpeech, "We keep 4 punctuations in the normalized text" and
"garbage utterance tags".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from asr_scaling.core.option_checks import must_work
from asr_scaling.dataset._parquet import ParquetDataset

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


@dataclass(frozen=True, kw_only=True)
class GigaSpeech(ParquetDataset):
    """GigaSpeech from the hub (gated), from a mirror, or from Parquet files in its layout.

    Utterances with ``<SIL> <MUSIC> <NOISE> <OTHER>`` are left out, and counted.

    tags: what becomes of ``<COMMA> <PERIOD> <QUESTIONMARK> <EXCLAMATIONPOINT>``: "map" to
        punctuation, "drop", or "keep" as words.
    """

    name: str = "gigaspeech"
    repository: str = "speechcolab/gigaspeech"
    config: str | None = "test"
    split: str = "test"
    revision: str | None = "refs/pr/20"
    licence: str = "Apache-2.0, access for research and education only"
    id_column: str | None = "segment_id"
    speaker_column: str | None = "speaker"
    tags: str = "map"
    language: str | None = "en"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice = f"choose one of {', '.join(MODES)}"
        must_work("dataset.tags", self.tags, self.tags in MODES, choice)

    def words(self, text: str) -> tuple[str, str | None]:
        """The reference without tags, or the reason why there is none."""
        if (tag := garbage(text)) is not None:
            return "", f"tagged <{tag}>"
        return clean(text, self.tags), None if clean(text, "drop") else "no words"
