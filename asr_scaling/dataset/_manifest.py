"""Reads the list of utterances of a folder: a manifest, LibriSpeech's layout, files of turns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.core.option_checks import readable
from asr_scaling.dataset._audio_paths import AudioFolder
from asr_scaling.dataset._manifest_keys import Columns, fields_of
from asr_scaling.dataset._manifest_rows import Row, json_rows, librispeech_rows, table_rows
from asr_scaling.dataset._turns_beside import Turned, beside_rows, split, turn_files, turned
from asr_scaling.errors import DataError

_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
_TABLES, _JSON = (".csv", ".tsv"), (".jsonl", ".json")


@dataclass(frozen=True)
class ManifestEntry:
    """One utterance whose audio is not decoded yet.

    id: name of the utterance.
    audio: path of its audio file.
    text: what is said; empty for silence.
    speaker: name of the speaker, None where it is unknown.
    language: what is spoken, as ``core/language.py`` writes it; None where the line does not say.
    start_s, end_s: seconds of the file between which the utterance lies; both None where it is the
        whole file, ``end_s`` None where it goes on to the end.
    claimed_s: seconds that the file is said to last; None where that is not said.
    where: its place in the manifest, for messages.
    recording: its file's path in the folder, without suffix; the same wherever the folder is.
    turned: who says what when, and where that was read; nothing where the manifest does not say it.
    extra: the other keys or columns of its line.
    """

    id: str
    audio: Path
    text: str
    speaker: str | None = None
    language: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    claimed_s: float | None = None
    where: str = ""
    recording: str = ""
    turned: Turned = field(default_factory=Turned)
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(
    root: Path,
    audio_root: Path | None = None,
    name: str | None = None,
    columns: Columns | None = None,
) -> list[ManifestEntry]:
    """The entries of ``root`` in their own order; every audio file is there.

    Looks for ``manifest.jsonl``, then ``manifest.csv`` or ``.tsv``, then the only ``*.csv`` or
    ``*.tsv``, then ``*/*/*.trans.txt`` (LibriSpeech), then audio with ``.stm``, ``.rttm`` or
    ``.ctm`` of its name beside it. A line of a manifest needs audio and text, by any of the names
    of _manifest_keys.py; an id (else the path without its suffix), a speaker, a language, times and
    files of turns are optional.

    root: the folder of the manifest.
    audio_root: the folder that audio paths are relative to and must not leave, by links either;
        None for ``root``.
    name: of the manifest in ``root``; None to look for it.
    columns: the keys of audio and text; None for the usual ones.

    Raises DataError that names the line, for anything else.
    """
    columns = columns or Columns()
    try:
        with readable(f"'{root}' can't be read", "check its permissions"):
            _check_folders(root, audio_root)
            audio = AudioFolder(audio_root or root, root)
            rows = _rows(root, name, audio, columns)
            entries = [_entry(audio, row, columns) for row in rows]
    except UnicodeDecodeError as error:
        raise DataError(
            f"The manifest in '{root}' is not UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
    if not entries:
        raise DataError(f"The dataset in '{root}' is empty; add at least one line to its manifest.")
    check_ids(root, entries)
    return entries


def check_ids(root: Path, entries: Iterable[ManifestEntry]) -> None:
    """Raises DataError for an id that occurs twice."""
    first: dict[str, str] = {}
    for entry in entries:
        before = first.setdefault(entry.id, entry.where)
        if before is not entry.where:
            raise DataError(
                f"{entry.where}: the id '{entry.id}' occurs twice in '{root}', first in {before}; "
                "give every utterance an id of its own."
            )


def _check_folders(root: Path, audio_root: Path | None) -> None:
    holder = "set dataset.path to the folder that holds the manifest"
    if root.name.endswith(_ARCHIVES) and root.is_file():
        raise DataError(f"'{root}' is an archive; unpack it and {holder}.")
    if root.suffix in (*_TABLES, *_JSON) and root.is_file():
        raise DataError(
            f"'{root}' is not a folder; {holder}, and dataset.manifest={root.name} for this one."
        )
    if not root.is_dir():
        raise DataError(f"'{root}' is not a folder; {holder}.")
    if audio_root is not None and not audio_root.is_dir():
        raise DataError(
            f"'{audio_root}' is not a folder; set dataset.audio_root to the folder that holds the "
            "audio."
        )


def _rows(root: Path, name: str | None, audio: AudioFolder, columns: Columns) -> Iterator[Row]:
    """Every line of the manifest in ``root``."""
    path = _manifest(root) if name is None else root / name
    if path is None:
        if transcripts := sorted(root.glob("*/*/*.trans.txt")):
            return librispeech_rows(root, transcripts)
        return iter(beside_rows(root, audio.root, columns))
    if path.suffix.lower() in _TABLES:
        return table_rows(path, audio.has, columns.missing)
    if path.suffix.lower() in _JSON:
        return json_rows(path)
    raise DataError(
        f"dataset.manifest={name} can't be read; name a file of JSON lines (.jsonl, .json), a .csv "
        "or a .tsv."
    )


def manifest_files(root: Path, name: str | None = None) -> list[Path]:
    """The files that list the utterances of ``root``, but for files of turns.

    Raises DataError where there are none of either.
    """
    with readable(f"'{root}' can't be read", "check its permissions"):
        _check_folders(root, None)
        path = _manifest(root) if name is None else root / name
        return sorted(root.glob("*/*/*.trans.txt")) if path is None else [path]


def _manifest(root: Path) -> Path | None:
    """The manifest in ``root``; None for LibriSpeech's layout and for files of turns."""
    if (manifest := root / "manifest.jsonl").is_file():
        return manifest
    files = sorted(path for path in root.iterdir() if path.is_file())
    tables = [path for path in files if path.suffix.lower() in _TABLES]
    named = [path for path in tables if path.stem.lower() == "manifest"]
    if len(tables := named or tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise DataError(
            f"'{root}' has several tables ({names}); choose one, as in "
            f"dataset.manifest={tables[0].name}."
        )
    if tables:
        return tables[0]
    if next(root.glob("*/*/*.trans.txt"), None) or turn_files(root):
        return None
    raise DataError(_no_manifest(root, [path.name for path in files]))


def _no_manifest(root: Path, names: list[str]) -> str:
    """The sentence for a folder without a manifest, with what it has instead."""
    if "wav.scp" in names:
        return (
            f"'{root}' is a data folder of Kaldi (wav.scp, text, segments), which is not read; "
            "write manifest.jsonl with 'audio', 'text', 'offset' and 'duration' of each utterance."
        )
    if lines := [name for name in names if name.endswith(_JSON)]:
        return (
            f"'{root}' has no manifest.jsonl; if {lines[0]} is one, set "
            f"dataset.manifest={lines[0]}."
        )
    packed = ", ".join([name for name in names if name.endswith(_ARCHIVES)][:3])
    hint = f" (archives are not unpacked: {packed})" if packed else ""
    return (
        f"'{root}' has no manifest{hint}; write manifest.jsonl with one line per utterance such as "
        '{"audio": "a.wav", "text": "what is said"}.'
    )


def _entry(audio: AudioFolder, row: Row, columns: Columns) -> ManifestEntry:
    row, named = split(row, columns)
    fields = fields_of(row, columns)
    found = audio.find(fields.audio, row.where)
    name = fields.id or found.name
    if fields.id is None and fields.start_s is not None:
        end = "end" if fields.end_s is None else f"{fields.end_s:.3f}"
        name = f"{name}:{fields.start_s:.3f}-{end}"
    start_s, end_s = fields.start_s, fields.end_s
    part = None if start_s is None else (start_s, math.inf if end_s is None else end_s)
    paths = {kind: audio.find(path, row.where).path for kind, path in named.items()}
    own = turned(paths, found.path.stem, part, row.where)
    return ManifestEntry(
        id=name,
        audio=found.path,
        text=fields.text or own.text,
        speaker=fields.speaker,
        language=fields.language,
        start_s=start_s,
        end_s=end_s,
        claimed_s=fields.claimed_s,
        where=row.where,
        recording=found.name,
        turned=own,
        extra=fields.rest,
    )
