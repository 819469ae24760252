"""Reads the list of utterances of a folder, from a manifest or LibriSpeech's own layout."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from asr_scaling.core.option_checks import readable
from asr_scaling.errors import DataError
from asr_scaling.util.files import read_file

_KEYS = ("audio", "text", "id", "speaker")
_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
_MAX_BYTES = 1 << 30
_Row = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ManifestEntry:
    """One utterance whose audio is not decoded yet.

    id: name of the utterance.
    audio: path of its audio file.
    text: what is said.
    speaker: name of the speaker, None where it is unknown.
    language: what is spoken, as ``core/language.py`` writes it; None where the line has neither
        ``language`` nor ``lang`` nor ``locale``.
    extra: the other keys or columns of its line.
    """

    id: str
    audio: Path
    text: str
    speaker: str | None = None
    language: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(root: Path, audio_root: Path | None = None) -> list[ManifestEntry]:
    """The entries of ``root`` in their own order; every audio file is there.

    Looks for ``manifest.jsonl``, then ``manifest.csv`` or ``.tsv``, then the only ``*.csv`` or
    ``*.tsv``, then ``*/*/*.trans.txt`` (LibriSpeech). A line needs ``audio`` and ``text``; ``id``
    (else the path without its suffix) and ``speaker`` are optional.

    root: the folder of the manifest.
    audio_root: the folder that audio paths are relative to and must not leave, by links either;
        None for ``root``.

    Raises DataError that names the line, for anything else.
    """
    try:
        with readable(f"'{root}' can't be read", "check its permissions"):
            _check_folders(root, audio_root)
            entries = [_entry(audio_root or root, where, row) for where, row in _rows(root)]
    except UnicodeDecodeError as error:
        raise DataError(
            f"The manifest in '{root}' is not UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
    if not entries:
        raise DataError(f"The dataset in '{root}' is empty; add at least one line to its manifest.")
    for name, count in Counter(entry.id for entry in entries).items():
        if count > 1:
            raise DataError(
                f"The id '{name}' occurs twice in '{root}'; give every utterance an id of its own."
            )
    return entries


def _check_folders(root: Path, audio_root: Path | None) -> None:
    holder = "set dataset.path to the folder that holds the manifest"
    if root.name.endswith(_ARCHIVES) and root.is_file():
        raise DataError(f"'{root}' is an archive; unpack it and {holder}.")
    if not root.is_dir():
        raise DataError(f"'{root}' is not a folder; {holder}.")
    if audio_root is not None and not audio_root.is_dir():
        raise DataError(
            f"'{audio_root}' is not a folder; set dataset.audio_root to the folder that holds the "
            "audio."
        )


def _rows(root: Path) -> Iterator[_Row]:
    """Every line of the manifest in ``root``, each with where it stands."""
    tables = sorted(p for p in root.iterdir() if p.suffix in {".csv", ".tsv"} and p.is_file())
    named = [p for p in tables if p.stem == "manifest"]
    if (manifest := root / "manifest.jsonl").is_file():
        return _json_rows(manifest)
    if len(tables := named or tables) > 1:
        names = ", ".join(p.name for p in tables)
        raise DataError(
            f"'{root}' has several tables ({names}); rename the one to use manifest.csv and move "
            "the rest."
        )
    if tables:
        return _table_rows(tables[0])
    if transcripts := sorted(root.glob("*/*/*.trans.txt")):
        return _librispeech_rows(root, transcripts)
    packed = ", ".join(sorted(p.name for p in root.iterdir() if p.name.endswith(_ARCHIVES))[:3])
    hint = f" (archives are not unpacked: {packed})" if packed else ""
    raise DataError(
        f"'{root}' has no manifest{hint}; write manifest.jsonl with one line per utterance such as "
        '{"audio": "a.wav", "text": "what is said"}.'
    )


def _json_rows(path: Path) -> Iterator[_Row]:
    for where, line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).partition(":")[0]
            raise DataError(
                f"{where}: not valid JSON ({reason}); write one JSON object per line."
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"{where}: not a JSON object; write one object with 'audio' and 'text' per line."
            )
        yield where, row


def _table_rows(path: Path) -> Iterator[_Row]:
    text = io.StringIO(_text(path), newline="")
    reader = csv.DictReader(text, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    try:
        missing = [k for k in ("audio", "text") if k not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{path.name} has no column '{missing[0]}'; its first line must name audio and "
                "text."
            )
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            if None in row:
                raise DataError(
                    f"{where}: more fields than the first line names; put text with commas in "
                    "quotes."
                )
            yield where, row
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {reader.line_num}: not valid CSV ({error}); quote its text."
        ) from error


def _librispeech_rows(root: Path, transcripts: Iterable[Path]) -> Iterator[_Row]:
    """Lines of ``speaker/chapter/speaker-chapter.trans.txt``: ``id TEXT`` for each ``id.flac``."""
    for path in transcripts:
        folder = path.parent.relative_to(root).as_posix()
        for where, line in _lines(path):
            name, _, text = line.strip().partition(" ")
            speaker, audio = name.partition("-")[0], f"{folder}/{name}.flac"
            yield where, {"audio": audio, "text": text, "id": name, "speaker": speaker}


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Every line that is not blank, after where it stands.

    Only line feeds end one: JSON strings may have other ends.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield f"{path.name}, line {number}", line


def _text(path: Path) -> str:
    return read_file(path, _MAX_BYTES).decode("utf-8-sig")


def _entry(root: Path, where: str, row: Mapping[str, Any]) -> ManifestEntry:
    audio = _string(row, "audio", where)
    if not audio:
        raise DataError(
            f"{where}: no 'audio'; give the path of its audio file, relative to the manifest."
        )
    text = _string(row, "text", where)
    if not text:
        raise DataError(f"{where}: no 'text'; write what is said in '{audio}' or remove the line.")
    relative = PurePosixPath(audio.replace("\\", "/"))
    path = _inside(root, relative, f"{where}: '{audio}'")
    name = _string(row, "id", where) or relative.with_suffix("").as_posix()
    extra = {key: value for key, value in row.items() if key not in _KEYS}
    return ManifestEntry(name, path, text, _string(row, "speaker", where), extra=extra)


def _inside(root: Path, relative: PurePosixPath, what: str) -> Path:
    """The file at ``relative`` in ``root``.

    Raises DataError when it is no regular file, or is outside ``root`` once links are followed.
    """
    drive = relative.parts[:1] and relative.parts[0].endswith(":")
    path = root / relative
    if relative.is_absolute() or ".." in relative.parts or drive:
        raise DataError(
            f"{what} leaves the folder; give a path inside '{root}', or set dataset.audio_root to "
            "the audio's folder."
        )
    try:
        mode = path.stat().st_mode
        real = Path(os.path.realpath(path))
    except FileNotFoundError:
        raise DataError(
            f"{what}: there is no such file in '{root}'; add the file or remove the line."
        ) from None
    except OSError as error:
        raise DataError(
            f"{what} can't be opened ({error.strerror}); rename it or check its permissions."
        ) from error
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{what} is a folder, a pipe or a device; name an audio file or remove the line."
        )
    if not real.is_relative_to(os.path.realpath(root)):
        raise DataError(
            f"{what} is a link that leaves the folder; copy the file into '{root}', or set "
            "dataset.audio_root to the audio's folder."
        )
    return path


def _string(row: Mapping[str, Any], key: str, where: str) -> str | None:
    """The value as stripped text; None when it is absent or blank.

    Raises DataError for other values; whole numbers are allowed as ids and speakers.
    """
    value = row.get(key)
    if value is None:
        return None
    number = key in {"id", "speaker"} and isinstance(value, int) and not isinstance(value, bool)
    if not (number or isinstance(value, str)):
        raise DataError(f"{where}: '{key}' is not text; put it in quotes.")
    text = str(value).strip()
    if any("\ud800" <= c <= "\udfff" or c == "\0" or (key != "text" and c < " ") for c in text):
        raise DataError(
            f"{where}: '{key}' holds a broken character; save the manifest again as UTF-8."
        )
    return text or None
