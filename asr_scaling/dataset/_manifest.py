"""The list of utterances of a folder: ``manifest.jsonl``, a CSV or TSV table, or LibriSpeech's own layout."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from asr_scaling.errors import DataError

_KEYS = ("audio", "text", "id", "speaker")


@dataclass(frozen=True)
class Entry:
    """One utterance that has not been decoded yet. ``extra``: the other keys or columns of its line."""

    id: str
    audio: Path
    text: str
    speaker: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(root: Path) -> list[Entry]:
    """The entries of ``root``, in their own order, every audio file present.

    Looks for ``manifest.jsonl``, then ``manifest.csv`` or ``.tsv``, then the only ``*.csv`` or ``*.tsv``, then
    ``*/*/*.trans.txt`` (LibriSpeech). Lines need ``audio`` (a path inside ``root``) and ``text``; ``id`` (the path
    without its suffix) and ``speaker`` are optional. Raises DataError, with the line, for anything else.
    """
    if not root.is_dir():
        raise DataError(f"'{root}' is not a folder; set dataset.path to the folder that holds the manifest.")
    try:
        entries = list(_entries(root))
    except UnicodeDecodeError as error:
        raise DataError(f"The manifest in '{root}' is not UTF-8 ({error.reason}); save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"'{root}' can't be read ({error.strerror or error}); check its permissions.") from error
    if not entries:
        raise DataError(f"The dataset in '{root}' is empty; add at least one line to its manifest.")
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise DataError(f"The id '{entry.id}' occurs twice in '{root}'; give every utterance an id of its own.")
        seen.add(entry.id)
    return entries


def _entries(root: Path) -> Iterator[Entry]:
    tables = sorted(p for p in root.iterdir() if p.suffix in {".csv", ".tsv"} and p.is_file())
    named = [p for p in tables if p.stem == "manifest"]
    if (manifest := root / "manifest.jsonl").is_file():
        return _checked(root, _json_rows(manifest))
    if len(tables := named or tables) > 1:
        names = ", ".join(p.name for p in tables)
        raise DataError(f"'{root}' has several tables ({names}); rename the one to use manifest.csv and move the rest.")
    if tables:
        return _checked(root, _table_rows(tables[0]))
    if transcripts := sorted(root.glob("*/*/*.trans.txt")):
        return _checked(root, _librispeech_rows(root, transcripts))
    raise DataError(
        f"'{root}' has no manifest; write manifest.jsonl with one line per utterance such as "
        '{"audio": "a.wav", "text": "what is said"}.'
    )


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, row) for every line that is not blank; only line feeds end a line, as JSON strings may hold others."""
    for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).partition(":")[0]
            raise DataError(f"{where}: not valid JSON ({reason}); write one JSON object per line.") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: not a JSON object; write one object with 'audio' and 'text' per line.")
        yield where, row


def _table_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = io.StringIO(path.read_text("utf-8-sig"), newline="")
    reader = csv.DictReader(text, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    try:
        missing = [k for k in ("audio", "text") if k not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path.name} has no column '{missing[0]}'; its first line must name audio and text.")
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            if None in row:
                raise DataError(f"{where}: more fields than the first line names; put text with commas in quotes.")
            yield where, row
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: not valid CSV ({error}); quote its text.") from error


def _librispeech_rows(root: Path, transcripts: Iterable[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """``speaker/chapter/speaker-chapter.trans.txt`` holds ``id TEXT`` for each ``id.flac`` beside it."""
    for path in transcripts:
        folder = path.parent.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text("utf-8").split("\n"), start=1):
            if line.strip():
                name, _, text = line.strip().partition(" ")
                row = {"audio": f"{folder}/{name}.flac", "text": text, "id": name, "speaker": name.partition("-")[0]}
                yield f"{path.name}, line {number}", row


def _checked(root: Path, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Entry]:
    return (_entry(root, where, row) for where, row in rows)


def _entry(root: Path, where: str, row: Mapping[str, Any]) -> Entry:
    audio = _string(row, "audio", where)
    if not audio:
        raise DataError(f"{where}: no 'audio'; give the path of its audio file, relative to the manifest.")
    text = _string(row, "text", where)
    if not text:
        raise DataError(f"{where}: no 'text'; write what is said in '{audio}' or remove the line.")
    relative = PurePosixPath(audio.replace("\\", "/"))
    if relative.is_absolute() or ".." in relative.parts or (relative.parts[:1] and relative.parts[0].endswith(":")):
        raise DataError(f"{where}: '{audio}' leaves the folder; put the audio inside it and give a relative path.")
    if not (path := root / relative).is_file():
        raise DataError(f"{where}: there is no '{audio}' in '{root}'; add the file or remove the line.")
    name = _string(row, "id", where) or relative.with_suffix("").as_posix()
    extra = {key: value for key, value in row.items() if key not in _KEYS}
    return Entry(name, path, text, _string(row, "speaker", where), extra)


def _string(row: Mapping[str, Any], key: str, where: str) -> str | None:
    """The value as stripped text; None when it is absent or blank. Numbers are taken for ids and speakers."""
    value = row.get(key)
    if value is None:
        return None
    number = key in {"id", "speaker"} and isinstance(value, int) and not isinstance(value, bool)
    if not (number or isinstance(value, str)):
        raise DataError(f"{where}: '{key}' is not text; put it in quotes.")
    text = str(value).strip()
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in text):
        raise DataError(f"{where}: '{key}' holds a broken character; save the manifest again as UTF-8.")
    return text or None
