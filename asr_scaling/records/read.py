"""Find and read the records of a sweep, one point at a time, so that memory holds only one."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, cast

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.core.typed_json import MAX_BYTES, parse
from asr_scaling.errors import DataError
from asr_scaling.records.merge import RecordFile, round_place, whole_points
from asr_scaling.util.files import open_file
from asr_scaling.util.groups import grouped

_NAMES = (RECORD_FILE, f"{RECORD_FILE}.gz")
Again = Callable[[], RunRecord]
"""Reads a record again. Raises DataError when it is gone."""
Damaged = list[DataError]
"""One error for each record that can't be read; its sentence names the file."""


def readable_records(folder: Path, damaged: Damaged) -> list[RunRecord]:
    """Every point below ``folder`` in the sweep's order, rounds merged; there may be none.

    Records that can't be read are left out, with an error in ``damaged``.
    """
    return whole_points(readable_files(folder, damaged))


def readable_files(folder: Path, damaged: Damaged) -> list[RecordFile]:
    """As ``readable_records``, but rounds are not merged."""
    return _in_files(_below(folder), damaged)


def each_record(path: Path, damaged: Damaged | None = None) -> Iterator[tuple[RunRecord, Again]]:
    """The records of ``path`` in their order, one at a time, each with what reads it again.

    path: a record file, a file of one record a line (tracking=jsonl), or a folder with records
        below it. Files may be gzipped (``record.json.gz``).
    damaged: receives an error for each record that can't be read; without it, it is raised.

    Raises DataError when nothing can be read.
    """
    empty, before = True, len(damaged or ())
    if os.path.isdir(path):
        records = _each_point(path, damaged)
    else:
        rows = _in_file(path, 0, damaged)
        records = ((record, partial(_row_at, path, start)) for start, record in rows)
    for record, again in records:
        empty = False
        yield record, again
    if empty and damaged is not None and len(damaged) > before:
        raise damaged[before]
    if empty:
        raise DataError(
            f"{path} holds no {RECORD_FILE}: name a record, or the folder of a point or a sweep."
        )


def _each_point(folder: Path, damaged: Damaged | None) -> Iterator[tuple[RunRecord, Again]]:
    """The points below ``folder``; each is read with all its rounds, and only one at a time."""
    for files in grouped(_below(folder), lambda path: round_place(path) or path.parent).values():
        for number, record in enumerate(whole_points(_in_files(files, damaged))):
            yield record, partial(_point_of, files, number)


def _in_files(files: Sequence[Path], damaged: Damaged | None) -> list[RecordFile]:
    return [(path, record) for path in files for _, record in _in_file(path, 0, damaged)]


def _point_of(files: Sequence[Path], number: int) -> RunRecord:
    points = whole_points(_in_files(files, []))
    if number >= len(points):
        raise DataError(f"{files[0]} has changed since it was read: make the report again.")
    return points[number]


def _row_at(path: Path, start: int) -> RunRecord:
    for _, record in _in_file(path, start):
        return record
    raise DataError(f"{path} has changed since it was read: make the report again.")


def _in_file(
    path: Path, start: int = 0, damaged: Damaged | None = None
) -> Iterator[tuple[int, RunRecord]]:
    """Each record with the byte at which it begins; a damaged line is skipped."""
    try:
        with _open(path) as file:
            for place, text in _rows(file, start):
                try:
                    record = _record(text)
                except (DataError, ValueError) as error:
                    in_rows = place or not path.name.startswith(RECORD_FILE)
                    _note(error, f"{path}, at byte {place}" if in_rows else str(path), damaged)
                else:
                    yield place, record
    except (OSError, EOFError, zlib.error, ValueError) as error:
        _note(error, str(path), damaged)


def _record(text: bytes) -> RunRecord:
    """A record from JSON; the key "sweep" is not part of it, tracking=jsonl adds it."""
    row = parse(text)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (as JSON's own errors)
    return RunRecord.from_json({key: row[key] for key in row if key != "sweep"})


def _note(error: Exception, where: str, damaged: Damaged | None) -> None:
    """Add an error that names ``where`` to ``damaged``, or raise it where that is None."""
    if isinstance(error, DataError):
        located = DataError(f"{where}: {error}")
    elif ", at byte " in where:
        located = DataError(
            f"{where}, is a line that was cut or damaged ({error}): its point's folder may have "
            "the record whole."
        )
    else:
        located = DataError(
            f"{where} can't be read ({error}): name a record, or the folder of a point or a sweep."
        )
    if damaged is None:
        raise located from error
    damaged.append(located)


def _rows(file: IO[bytes], start: int) -> Iterator[tuple[int, bytes]]:
    """The JSON values from byte ``start`` on, each with the byte at which it begins.

    A file is one record of many lines, or has one record a line. It is the former when its first
    line alone is not JSON and either is a lone "{", not followed by another, or is JSON together
    with the rest.
    """
    file.seek(start)
    first = _line(file)
    if not first:
        return
    if not _is_json(first):
        rest = file.read(MAX_BYTES)
        lone = first.strip() == b"{" and not rest.startswith(b"{")
        if lone or (len(rest) < MAX_BYTES and _is_json(first + rest)):
            yield start, first + _within(rest)
            return
        file.seek(start + len(first))
    yield start, first
    place = start + len(first)
    while line := _line(file):
        if line.strip():
            yield place, line
        place += len(line)


def _is_json(text: bytes) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _line(file: IO[bytes]) -> bytes:
    return _within(file.readline(MAX_BYTES))


def _within(data: bytes) -> bytes:
    """``data``, unless it has ``MAX_BYTES``: a small gzipped file can hold more than the memory.

    Raises ValueError then.
    """
    if len(data) >= MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES >> 20} MiB in one record")
    return data


def _open(path: Path) -> IO[bytes]:
    file = open_file(path)
    if path.suffix != ".gz":
        return file
    file.close()
    return cast("IO[bytes]", gzip.open(path))


def _below(folder: Path) -> list[Path]:
    """The record files below ``folder``, without gzipped copies of others."""
    paths = {path for name in _NAMES for path in folder.rglob(name)}
    copies = {path for path in paths if path.suffix == ".gz" and path.with_suffix("") in paths}
    return sorted(paths - copies, key=_order)


def _order(path: Path) -> tuple[int, str]:
    number = path.parent.name.partition("_")[0]
    return (int(number) if number.isdigit() else 0, str(path))
