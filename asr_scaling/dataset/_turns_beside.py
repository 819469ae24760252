"""The turns of recordings: from files that a manifest names, or that lie beside the audio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asr_scaling.core.turns import Turn, text_of
from asr_scaling.dataset._manifest_keys import Columns
from asr_scaling.dataset._manifest_rows import Row, plain_key
from asr_scaling.dataset._turn_files import read_ctm, read_rttm, read_stm
from asr_scaling.errors import DataError

_KINDS = ("stm", "rttm", "ctm")
_KEYS = {key: kind for kind in _KINDS for key in (f"{kind}_filepath", kind)}
"""Keys of a manifest that name a file of turns → its kind. The first are NeMo's."""
_AUDIO = {
    *("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "mov", "mkv", "webm", "aac"),
    *("aif", "aiff", "aifc", "caf", "au", "w64", "wma", "amr"),
}
"""How the names of audio files end."""
_NO_TEXT = ("", "-")
"""What NeMo's manifests have for a text that is not known."""
_ROUNDED_S = 0.05
"""Seconds by which times of a manifest and of a file of turns may differ, as both are rounded."""
_PAUSE_S = 0.5
"""A pause between two words that ends a turn, where only words are known."""


@dataclass(frozen=True)
class Turned:
    """Who says what when in an utterance.

    turns: in the order of their starts; times from the beginning of the utterance.
    text: of them all; empty where it is not known.
    files: that they were read from.
    unscored: stretches that are marked as not to be scored.
    """

    turns: tuple[Turn, ...] = ()
    text: str = ""
    files: tuple[Path, ...] = ()
    unscored: int = 0


def split(row: Row, columns: Columns) -> tuple[Row, dict[str, str]]:
    """``row`` without the keys of files of turns, and kind → path of these, as written.

    Where it has such a file, its text may be missing or "-".
    Raises DataError, with its line, for a path that is no text and for an STM beside another file.
    """
    named = {key: _KEYS[plain_key(key)] for key in row.values if plain_key(key) in _KEYS}
    paths: dict[str, str] = {}
    for key, kind in named.items():
        value = row.values[key]
        if value is not None and not isinstance(value, str):
            raise DataError(f"{row.where}: '{key}' is not text; give the path of a file.")
        if value and value.strip():
            paths[kind] = value.strip()
    if "stm" in paths and len(paths) > 1:
        raise DataError(
            f"{row.where}: it names an STM and another file of turns; keep one of them."
        )
    values = {key: value for key, value in row.values.items() if key not in named}
    if paths:
        values = _with_text(values, columns)
    return replace(row, values=values), paths


def _with_text(values: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """``values`` with an empty text where they have none, or a "-"."""
    keys = [key for key in values if columns.meaning(key) == "text"]
    blank = [key for key in keys if values[key] is None or str(values[key]).strip() in _NO_TEXT]
    told = {key: value for key, value in values.items() if key not in blank}
    return told if len(blank) < len(keys) else {**told, columns.text or "text": ""}


def turned(
    paths: Mapping[str, Path], name: str, part: tuple[float, float] | None, where: str
) -> Turned:
    """The turns that files give.

    paths: kind → file; an STM alone, or an RTTM, a CTM, or both.
    name: of the recording.
    part: seconds between which the utterance lies in it; None for all of it.
    where: its place in the manifest, for messages.

    Raises DataError, with the line, for what can't be used.
    """
    unscored, words = 0, list[Turn]()
    if "stm" in paths:
        turns, unscored = read_stm(paths["stm"], name)
    else:
        turns = read_rttm(paths["rttm"], name) if "rttm" in paths else []
        words = read_ctm(paths["ctm"], name) if "ctm" in paths else []
    if part is not None:
        turns = _within((turn for turn in turns if _is_in(turn, part, where)), part)
        words = _within((word for word in words if part[0] <= _middle(word) < part[1]), part)
    if words:
        turns = with_words(turns, words) if turns else turns_of_words(words)
    return Turned(tuple(turns), text_of(turns), tuple(paths.values()), unscored)


def _is_in(turn: Turn, part: tuple[float, float], where: str) -> bool:
    """Whether a turn, with its text if it has one, is in a part of the recording.

    Raises DataError where only a part of its text can be.
    """
    inside_s = turn.overlap_s(*part)
    if not turn.text or turn.duration_s - inside_s <= _ROUNDED_S:
        return True
    if inside_s > _ROUNDED_S:
        raise DataError(
            f"{where}: its times cut the turn from {turn.start_s:g} s to {turn.end_s:g} s, of "
            "which nobody knows what is said in each part; correct the times."
        )
    return False


def _within(turns: Iterable[Turn], part: tuple[float, float]) -> list[Turn]:
    """The turns in a part of the recording, cut at its ends and timed from its start."""
    found = []
    for turn in turns:
        begin, end = max(turn.start_s, part[0]), min(turn.end_s, part[1])
        if end > begin or (end == begin and not turn.duration_s):
            found.append(replace(turn, start_s=begin - part[0], end_s=end - part[0]))
    return found


def _middle(turn: Turn) -> float:
    return (turn.start_s + turn.end_s) / 2


def with_words(turns: Sequence[Turn], words: Iterable[Turn]) -> list[Turn]:
    """``turns``, each with the words that lie in it, or nearest to it.

    A word whose speaker is known goes to a turn of that speaker, where there is one.
    """
    starts = np.array([turn.start_s for turn in turns])
    ends = np.array([turn.end_s for turn in turns])
    owners = np.array([turn.speaker or "" for turn in turns])
    said: list[list[str]] = [[] for _ in turns]
    for word in sorted(words, key=lambda word: word.start_s):
        common = np.minimum(ends, word.end_s) - np.maximum(starts, word.start_s)
        own = owners == word.speaker
        if word.speaker is not None and own.any():
            common = np.where(own, common, -np.inf)
        said[int(common.argmax())].append(word.text)
    return [replace(turn, text=" ".join(own)) for turn, own in zip(turns, said, strict=True)]


def turns_of_words(words: Iterable[Turn]) -> list[Turn]:
    """Turns of the words of each speaker; a pause of half a second ends one."""
    ordered = sorted(words, key=lambda word: (word.start_s, word.end_s))
    done: list[Turn] = []
    open_: dict[str | None, Turn] = {}
    for word in ordered:
        turn = open_.get(word.speaker)
        if turn is None or word.start_s - turn.end_s >= _PAUSE_S:
            done += [turn] if turn else []
            open_[word.speaker] = word
        else:
            end_s = max(turn.end_s, word.end_s)
            open_[word.speaker] = replace(turn, end_s=end_s, text=f"{turn.text} {word.text}")
    return sorted([*done, *open_.values()], key=lambda turn: (turn.start_s, turn.end_s))


def turn_files(root: Path) -> list[Path]:
    """The files of turns that lie in a folder."""
    return sorted(p for p in root.iterdir() if _ending(p) in _KINDS and p.is_file())


def beside_rows(root: Path, audio_root: Path, columns: Columns) -> list[Row]:
    """One row for each recording, of which all are whole files; an STM goes before other files.

    root: the folder of the files of turns.
    audio_root: the folder of the audio.

    Raises DataError for audio without such a file, and the other way round.
    """
    audio: dict[str, Path] = {}
    for path in sorted(p for p in audio_root.iterdir() if _ending(p) in _AUDIO and p.is_file()):
        if (before := audio.setdefault(path.stem, path)) is not path:
            raise DataError(
                f"'{before.name}' and '{path.name}' have one name; keep one of them in "
                f"'{audio_root}'."
            )
    files: dict[str, dict[str, str]] = {}
    for path in turn_files(root):
        if path.stem not in audio:
            raise DataError(
                f"'{path.name}' has no audio file of its name in '{audio_root}'; add it, or "
                "remove this file."
            )
        files.setdefault(path.stem, {})[f"{_ending(path)}_filepath"] = path.name
    if bare := [path.name for stem, path in audio.items() if stem not in files]:
        raise DataError(
            f"'{bare[0]}' has no .stm, .rttm or .ctm of its name in '{root}'; add one, or take the "
            "audio out of the folder."
        )
    rows = []
    for stem, own in files.items():
        stm = {key: name for key, name in own.items() if key == "stm_filepath"}
        name = audio[stem].name
        rows.append(Row(name, {columns.audio or "audio": name, **(stm or own)}, texts=False))
    return rows


def _ending(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
