"""Reads the rows of a manifest: JSON lines, a CSV or TSV table, or LibriSpeech's own layout."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from asr_scaling.errors import DataError
from asr_scaling.util.files import read_file

_MAX_BYTES = 1 << 30
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Row:
    """One utterance as a manifest has it.

    where: the file and the line on which it begins.
    values: key or column → value, as written.
    texts: whether every value is a text because the format knows nothing else, as in a table.
    """

    where: str
    values: Mapping[str, Any]
    texts: bool


def plain_key(key: str) -> str:
    """A key or column's name without what people write differently: case, spaces, hyphens."""
    return re.sub(r"[\s-]+", "_", key.strip().casefold())


def json_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line. Raises DataError, with the line, for anything else."""
    for where, line in _lines(path):
        try:
            values = json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or str(error)
            raise DataError(
                f"{where}: not valid JSON ({reason}); write one JSON object per line."
            ) from error
        if not isinstance(values, dict):
            raise DataError(
                f"{where}: not a JSON object; write one object with 'audio' and 'text' per line."
            )
        yield Row(where, values, texts=False)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object's pairs. Raises ValueError for a key that it has twice: only one would count."""
    counts = Counter(key for key, _ in pairs)
    if twice := [key for key, count in counts.items() if count > 1]:
        raise ValueError(f"the key {twice[0]!r} stands in it twice")
    return dict(pairs)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def table_rows(
    path: Path, is_audio: Callable[[str], bool], missing: Callable[[Iterable[str]], str]
) -> Iterator[Row]:
    """Rows of a CSV by RFC 4180, or of a TSV, in which quotes have no meaning.

    is_audio: whether a field is the path of an audio file.
    missing: which column is missing among those of the first line; "" for none.
    """
    tabs = path.suffix.lower() == ".tsv"
    text = _text(path)
    rows = _tab_rows(text) if tabs else _comma_rows(text, path.name, is_audio)
    number, header = next(rows, (1, []))
    _check_header(header, f"{path.name}, line {number}")
    if column := missing(header):
        raise DataError(
            f"{path.name} has no column '{column}'; its first line must name audio and text, "
            f"with {'tabs' if tabs else 'commas'} between them."
        )
    for number, fields in rows:
        where = f"{path.name}, line {number}"
        if len(fields) > len(header):
            remedy = "take tabs out of its text" if tabs else "put text with commas in quotes"
            raise DataError(f"{where}: more fields than the first line names; {remedy}.")
        yield Row(where, dict(zip(header, fields, strict=False)), texts=True)


def _check_header(header: Sequence[str], where: str) -> None:
    counts = Counter(plain_key(name) for name in header if name.strip())
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DataError(f"{where}: two columns are called {twice[0]!r}; rename or remove one.")


def _tab_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every line that is not blank."""
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if line.strip():
            yield number, line.split("\t")


def _comma_rows(
    text: str, name: str, is_audio: Callable[[str], bool]
) -> Iterator[tuple[int, list[str]]]:
    """The line on which a row begins, and its fields; blank lines are left out."""
    lines = _LINE_END.split(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        first = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{name}, line {first}: not valid CSV ({error}); put text with quotes or commas in "
                "quotes, and double the quotes in it."
            ) from error
        if fields is None:
            return
        for line in lines[first : reader.line_num]:
            if any(is_audio(cell.strip(' "')) for cell in line.split(",")):
                raise DataError(
                    f"{name}, line {first}: a quote opens a text that goes on to line "
                    f"{reader.line_num}, over lines that name audio; close or double the quote."
                )
        if any(field.strip() for field in fields[:1]) or len(fields) > 1:
            yield first, fields


def librispeech_rows(root: Path, transcripts: Iterable[Path]) -> Iterator[Row]:
    """Lines of ``speaker/chapter/speaker-chapter.trans.txt``: ``id TEXT`` for each ``id.flac``."""
    for path in transcripts:
        folder = path.parent.relative_to(root).as_posix()
        for where, line in _lines(path):
            name, _, text = line.strip().partition(" ")
            values = {"audio": f"{folder}/{name}.flac", "text": text or None, "id": name}
            yield Row(where, values | {"speaker": name.partition("-")[0]}, texts=True)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Every line that is not blank, after where it stands.

    Only line feeds end one: JSON strings may have other ends.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield f"{path.name}, line {number}", line


def _text(path: Path) -> str:
    return read_file(path, _MAX_BYTES).decode("utf-8-sig")
