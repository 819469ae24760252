"""What the keys and columns of a manifest mean, by the names that the field gives them.

A key that changes what is measured is used or refused, never passed over: the names are those of
NeMo, Common Voice, Hugging Face's AudioFolder, SpeechBrain, DeepSpeech, ESPnet, GigaSpeech and
Lhotse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asr_scaling.core.language import language_code
from asr_scaling.dataset._manifest_rows import Row, plain_key
from asr_scaling.errors import DataError

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "audio": (
        *("audio", "audio_filepath", "audio_file", "audio_path", "path", "file", "file_name"),
        *("filename", "file_path", "filepath", "wav", "wav_path", "wav_filename", "clip"),
    ),
    "text": (
        *("text", "sentence", "transcript", "transcription", "normalized_text", "reference"),
        *("normalised_text", "wrd"),
    ),
    "id": ("id", "utt_id", "uttid", "utterance_id", "utt", "segment_id"),
    "speaker": ("speaker", "speaker_id", "spk_id", "spk", "client_id"),
    "language": ("language", "lang", "locale", "source_lang", "language_id", "lang_id"),
    "start": ("offset", "start", "start_time", "begin", "begin_time", "offset_s", "start_s"),
    "end": ("end", "end_time", "end_s", "stop"),
    "duration": ("duration", "duration_s", "dur", "length_s"),
    "start_ms": ("start_ms", "offset_ms", "begin_ms", "start_time_ms"),
    "end_ms": ("end_ms", "end_time_ms", "stop_ms"),
    "duration_ms": ("duration_ms", "duration[ms]", "length_ms"),
}
"""What a key is for → its names, the first choice first. Times without ``_ms`` are in seconds."""
_MEANING = {name: meant for meant, names in _SPELLINGS.items() for name in names}
_LABELS = ("id", "speaker", "language")
"""Of these the first name counts where several are given; of others two must say the same."""
_LHOTSE = (
    "is of Lhotse's cuts; write 'audio', 'text', 'offset' and 'duration' of each utterance instead"
)
_ONE_CHANNEL = (
    "asks for one channel of the audio, and channels are averaged here; save that channel as a "
    "file of its own, or remove the key where the audio has only one"
)
_SAMPLES = "counts samples; write 'offset' and 'duration' in seconds instead"
_REFUSED = {
    **dict.fromkeys(("supervisions", "recording", "recording_id"), _LHOTSE),
    **dict.fromkeys(("channel", "channels", "channel_id", "channel_selector"), _ONE_CHANNEL),
    **dict.fromkeys(("start_sample", "end_sample", "start_frame", "end_frame"), _SAMPLES),
    **dict.fromkeys(("frame_offset", "sample_offset", "offset_samples"), _SAMPLES),
}
"""Keys that change what an utterance is elsewhere, and why they can't be used here."""
_TRANSLATED = ("ast", "st", "s2t_translation", "translate", "translation")
_UNSTATED = ("und", "mul", "mis", "zxx", "unknown", "unk")
"""What stands for no single language."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TOGETHER_S = 0.05
"""Seconds by which a duration may differ from end - start, which are rounded."""


@dataclass(frozen=True)
class Fields:
    """A row's values by what they mean.

    start_s, end_s: seconds of the recording between which the utterance lies; both None where it
        is the whole file, ``end_s`` None where it goes on to the end.
    claimed_s: seconds that the file is said to last; None where that is not said.
    rest: the other keys with their values.
    """

    audio: str = ""
    text: str = ""
    id: str | None = None
    speaker: str | None = None
    language: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    claimed_s: float | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Columns:
    """Which key holds the audio, and which the text.

    audio, text: names as in the manifest; None for whichever of the usual names it has.
    """

    audio: str | None = None
    text: str | None = None

    def missing(self, names: Iterable[str]) -> str:
        """ "audio" or "text", or the name chosen for it, where ``names`` don't have it; else ""."""
        meant = {self.meaning(name) for name in names}
        chosen = {"audio": self.audio or "audio", "text": self.text or "text"}
        return next((name for what, name in chosen.items() if what not in meant), "")

    def meaning(self, key: str) -> str:
        """What a key is for; "" for one that is not used."""
        plain = plain_key(key)
        for meant, name in (("audio", self.audio), ("text", self.text)):
            if name is not None and plain == plain_key(name):
                return meant
        meant = _MEANING.get(plain, "")
        chosen = {"audio": self.audio, "text": self.text}.get(meant)
        return "" if chosen is not None else meant


def fields_of(row: Row, columns: Columns) -> Fields:
    """The values of ``row``. Raises DataError, with its line, for what can't be used."""
    where = row.where
    found: dict[str, dict[str, Any]] = {}
    rest: dict[str, Any] = {}
    for key, value in row.values.items():
        meant = columns.meaning(key)
        if meant:
            found.setdefault(meant, {})[key] = value
        else:
            rest[key] = value
    _check_elsewhere(row, "audio" in found)
    audio = _string(*_one(found, "audio", row), where)
    if not audio:
        name = columns.audio or "audio"
        raise DataError(
            f"{where}: no '{name}'; give the path of its audio file, relative to the manifest."
        )
    text = _string(*_one(found, "text", row), where, control=True)
    if text is None:
        name, remedy = columns.text or "text", "write what is said"
        raise DataError(f"{where}: no '{name}'; {remedy} in '{audio}' or remove the line.")
    own_id, speaker = (
        _string(*_one(found, label, row), where, number=True) or None for label in ("id", "speaker")
    )
    language = _language(*_one(found, "language", row), where)
    return replace(
        _times(found, row),
        audio=audio,
        text=text,
        id=own_id,
        speaker=speaker,
        language=language,
        rest=rest,
    )


def _one(found: Mapping[str, Mapping[str, Any]], meant: str, row: Row) -> tuple[str, Any]:
    """Key and value of what is ``meant``; None where no key of it has a value.

    Raises DataError when two keys that mean the same have different values.
    """
    keys = found.get(meant, {})
    given = {key: value for key, value in keys.items() if value is not None}
    if row.texts:  # an empty cell of a table says nothing where another column has a value
        given = {key: value for key, value in given.items() if value.strip()} or given
    first = min(given, key=_rank, default=meant)
    other = next((key for key in given if given[key] != given[first]), None)
    if other is not None and meant not in _LABELS:
        remedy = "keep the one that is meant"
        if meant in ("audio", "text"):
            remedy += f", or name it: dataset.{meant}_column={first}"
        raise DataError(
            f"{row.where}: '{first}' and '{other}' mean the same and have different values; "
            f"{remedy}."
        )
    return first, given.get(first)


def _rank(key: str) -> int:
    return list(_MEANING).index(plain_key(key)) if plain_key(key) in _MEANING else -1


def _string(
    key: str, value: Any, where: str, *, number: bool = False, control: bool = False
) -> str | None:
    """The value as stripped text; None when it is absent.

    number: whether whole numbers are allowed, as for ids and speakers.
    control: whether it may have line ends and other control characters.

    Raises DataError for other values.
    """
    if value is None:
        return None
    whole = number and isinstance(value, int) and not isinstance(value, bool)
    if not (whole or isinstance(value, str)):
        raise DataError(f"{where}: '{key}' is not text; put it in quotes.")
    text = str(value).strip()
    if any("\ud800" <= c <= "\udfff" or c == "\0" or (not control and c < " ") for c in text):
        raise DataError(
            f"{where}: '{key}' holds a broken character; save the manifest again as UTF-8."
        )
    return text


def _language(key: str, value: Any, where: str) -> str | None:
    """The code of a language; None where the row states none.

    Raises DataError for what is no language.
    """
    text = _string(key, value, where)
    if not text or text.casefold() in _UNSTATED:
        return None
    code = language_code(text)
    if code is None:
        raise DataError(
            f"{where}: '{key}' is '{text}', which is no language; give a code such as en, de or "
            "yue."
        )
    return code


def _check_elsewhere(row: Row, has_audio: bool) -> None:
    """Raises DataError for keys whose meaning elsewhere can't be honoured here."""
    plain = {plain_key(key): (key, value) for key, value in row.values.items()}
    for name, (key, value) in plain.items():
        known = name in _REFUSED and not (name == "recording_id" and has_audio)
        one = name == "channels" and str(value) == "1"
        if known and not one and value not in (None, ""):
            raise DataError(f"{row.where}: '{key}' {_REFUSED[name]}.")
    tasks = [str(plain[name][1]).casefold() for name in ("task", "taskname") if name in plain]
    source, target = (plain.get(f"{side}_lang", ("", None))[1] for side in ("source", "target"))
    if any(task in _TRANSLATED for task in tasks) or (target and source and target != source):
        raise DataError(
            f"{row.where}: its text is a translation, which says nothing of recognition; leave the "
            "line out."
        )


def _times(found: Mapping[str, Mapping[str, Any]], row: Row) -> Fields:
    """Where the utterance lies in its recording, or what the file is said to last."""
    start_s, end_s, duration_s = (_time(found, what, row) for what in ("start", "end", "duration"))
    if start_s is None and end_s is None:
        return Fields(claimed_s=duration_s)
    start_s = start_s or 0.0
    if duration_s is not None and end_s is None:
        end_s = start_s + duration_s
    if end_s is not None and end_s <= start_s:
        raise DataError(
            f"{row.where}: the utterance ends at {end_s:g} s and begins at {start_s:g} s; correct "
            "the times."
        )
    if duration_s is not None and abs((end_s or 0.0) - start_s - duration_s) > _TOGETHER_S:
        raise DataError(
            f"{row.where}: from {start_s:g} s to {end_s:g} s are not {duration_s:g} s; keep the "
            "times that are meant."
        )
    return Fields(start_s=start_s, end_s=end_s)


def _time(found: Mapping[str, Mapping[str, Any]], what: str, row: Row) -> float | None:
    """The seconds that a key of ``what`` gives, also in milliseconds; None where none does.

    Raises DataError for what is no number, negative, or no length.
    """
    given = [
        (key, value, unit_s)
        for name, unit_s in ((what, 1.0), (f"{what}_ms", 1e-3))
        for key, value in [_one(found, name, row)]
        if value is not None and not (row.texts and not value.strip())
    ]
    seconds = [_seconds(key, value, unit_s, row, what) for key, value, unit_s in given]
    if seconds and max(seconds) - min(seconds) > _TOGETHER_S:
        raise DataError(
            f"{row.where}: '{given[0][0]}' and '{given[1][0]}' are not the same time; keep the one "
            "that is meant."
        )
    return next(iter(seconds), None)


def _seconds(key: str, value: Any, unit_s: float, row: Row, what: str) -> float:
    if row.texts and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{row.where}: '{key}' is no number; give seconds, as in 12.5.")
    seconds = float(value) * unit_s if abs(value) < 1e300 else math.inf
    if not math.isfinite(seconds) or seconds < 0 or (what != "start" and seconds == 0):
        least = "from 0 upwards" if what == "start" else "above 0"
        raise DataError(f"{row.where}: '{key}' is {value!s:.20}; give a number {least}.")
    return seconds
