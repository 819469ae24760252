"""Find and read the records of a sweep, one point at a time: ten thousand need no more memory than one."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, cast

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.core.schema import MAX_BYTES, parse
from asr_scaling.errors import DataError
from asr_scaling.records.merge import Found, round_place, whole_points
from asr_scaling.util.files import open_file

_NAMES = (RECORD_FILE, f"{RECORD_FILE}.gz")
Again = Callable[[], RunRecord]
"""Reads a record once more. DataError when it is gone."""


Damaged = list[DataError]
"""What could not be read, a sentence each that names the file."""


def readable_records(folder: Path, damaged: Damaged) -> list[RunRecord]:
    """Every point below ``folder``, in their order, its rounds as one; none at all is no error.

    A record that can't be read is left out and put down in ``damaged``: a sweep that ends shows what there is.
    """
    return whole_points(readable_files(folder, damaged))


def readable_files(folder: Path, damaged: Damaged) -> list[Found]:
    """The records of ``readable_records`` as they are on disk: a point's own and each of its rounds."""
    return [
        (path, record) for path in _below(folder) for _, record in _in_file(path, damaged=damaged)
    ]


def each_record(path: Path, damaged: Damaged | None = None) -> Iterator[tuple[RunRecord, Again]]:
    """The records in a record file, in a file of one record a line (tracking=jsonl), or below a folder, in their order
    and one at a time, each with what reads it again. Both kinds of file may be gzipped (``record.json.gz``).

    One that can't be read is left out and put down in ``damaged``; without that list it is a DataError, as is a source
    of which nothing can be read.
    """
    none, before = True, len(damaged or ())
    for record, again in (
        _each_point(path, damaged) if os.path.isdir(path) else _each_row(path, damaged)
    ):
        none = False
        yield record, again
    if none and damaged is not None and len(damaged) > before:
        raise damaged[before]
    if none:
        raise DataError(
            f"{path} holds no {RECORD_FILE}: name a record, or the folder of a point or a sweep."
        )


def _each_row(path: Path, damaged: Damaged | None) -> Iterator[tuple[RunRecord, Again]]:
    for start, record in _in_file(path, 0, damaged):
        yield record, partial(_row_at, path, start)


def _each_point(folder: Path, damaged: Damaged | None) -> Iterator[tuple[RunRecord, Again]]:
    """A point's own record and those of its rounds are read together, and never those of two points."""
    places: dict[Path, list[Path]] = {}
    for path in _below(folder):
        places.setdefault(round_place(path) or path.parent, []).append(path)
    for files in places.values():
        for number, record in enumerate(_points_of(files, damaged)):
            yield record, partial(_point_of, files, number)


def _points_of(files: Sequence[Path], damaged: Damaged | None) -> list[RunRecord]:
    return whole_points(
        [(path, record) for path in files for _, record in _in_file(path, 0, damaged)]
    )


def _point_of(files: Sequence[Path], number: int) -> RunRecord:
    found = _points_of(files, [])
    if number >= len(found):
        raise DataError(f"{files[0]} has changed since it was read: make the report again.")
    return found[number]


def _row_at(path: Path, start: int) -> RunRecord:
    for _, record in _in_file(path, start):
        return record
    raise DataError(f"{path} has changed since it was read: make the report again.")


def _in_file(
    path: Path, start: int = 0, damaged: Damaged | None = None
) -> Iterator[tuple[int, RunRecord]]:
    """Where each record begins, in bytes, and the record. Behind a damaged line the next one is read."""
    try:
        with _open(path) as file:
            for place, text in _rows(file, start):
                try:
                    record = _record(text)
                except (DataError, ValueError) as error:
                    _note(error, f"{path}, at byte {place}" if place else str(path), damaged)
                else:
                    yield place, record
    except (OSError, EOFError, zlib.error, ValueError) as error:
        _note(error, str(path), damaged)


def _record(text: bytes) -> RunRecord:
    """``sweep`` is what tracking=jsonl adds to a record."""
    row = parse(text)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (as JSON's own errors)
    return RunRecord.from_json({key: row[key] for key in row if key != "sweep"})


def _note(error: Exception, where: str, damaged: Damaged | None) -> None:
    """Put down what is wrong ``where``, or raise it."""
    if isinstance(error, DataError):
        found = DataError(f"{where}: {error}")
    else:
        found = DataError(
            f"{where} can't be read ({error}): name a record, or the folder of a point or a sweep."
        )
    if damaged is None:
        raise found from error
    damaged.append(found)


def _rows(file: IO[bytes], start: int) -> Iterator[tuple[int, bytes]]:
    """One value a line where the first line at ``start`` is one, else the whole file as one value. A file is one of
    lines too where its first line is damaged and the whole is no value, unless it opens as a record of many lines."""
    file.seek(start)
    first = _line(file)
    if not first:
        return
    if not _is_json(first):
        rest = _within(file.read(MAX_BYTES))
        if first.strip() == b"{" or _is_json(first + rest):
            yield start, first + rest
            return
        file = io.BytesIO(rest)
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
    """ValueError for more than a record has: a small gzipped file can hold more than the memory."""
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
    """A record beside its own gzipped copy is one record."""
    found = {path for name in _NAMES for path in folder.rglob(name)}
    return sorted(
        (path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found),
        key=_order,
    )


def _order(path: Path) -> tuple[int, str]:
    number = path.parent.name.partition("_")[0]
    return (int(number) if number.isdigit() else 0, str(path))
