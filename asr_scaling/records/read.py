"""Find and read the records of a sweep, one point at a time: ten thousand need no more memory than one."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from asr_scaling.errors import DataError
from asr_scaling.files import open_file
from asr_scaling.plain import MAX_BYTES, parse
from asr_scaling.record import RECORD_FILE, RunRecord
from asr_scaling.records.merge import Found, round_place, whole_points

_NAMES = (RECORD_FILE, f"{RECORD_FILE}.gz")
Again = Callable[[], RunRecord]
"""Reads a record once more. DataError when it is gone."""


def readable_records(folder: Path) -> list[RunRecord]:
    """Every point below ``folder``, in their order, its rounds as one.

    A record that can't be read is left out, and none at all is no error: a sweep that ends shows what there is. Where a
    missing point would go unnoticed, ``each_record`` is the one to read with.
    """
    return whole_points(readable_files(folder))


def readable_files(folder: Path) -> list[Found]:
    """The records of ``readable_records`` as they are on disk: a point's own and each of its rounds."""
    found: list[Found] = []
    for path in _below(folder):
        try:
            found += [(path, record) for _, record in _in_file(path)]
        except DataError:
            continue
    return found


def each_record(path: Path) -> Iterator[tuple[RunRecord, Again]]:
    """The records in a record file, in a file of one record a line (tracking=jsonl), or below a folder, in their order
    and one at a time, each with what reads it again. Both kinds of file may be gzipped (``record.json.gz``).

    DataError when there is none, or when one can't be read, which ``readable_records`` leaves out.
    """
    none = True
    for record, again in _each_point(path) if os.path.isdir(path) else _each_row(path):
        none = False
        yield record, again
    if none:
        raise DataError(f"{path} holds no {RECORD_FILE}: name a record, or the folder of a point or a sweep.")


def _each_row(path: Path) -> Iterator[tuple[RunRecord, Again]]:
    for start, record in _in_file(path):
        yield record, partial(_row_at, path, start)


def _each_point(folder: Path) -> Iterator[tuple[RunRecord, Again]]:
    """A point's own record and those of its rounds are read together, and never those of two points."""
    places: dict[Path, list[Path]] = {}
    for path in _below(folder):
        places.setdefault(round_place(path) or path.parent, []).append(path)
    for files in places.values():
        for number, record in enumerate(_points_of(files)):
            yield record, partial(_point_of, files, number)


def _points_of(files: Sequence[Path]) -> list[RunRecord]:
    return whole_points([(path, record) for path in files for _, record in _in_file(path)])


def _point_of(files: Sequence[Path], number: int) -> RunRecord:
    found = _points_of(files)
    if number >= len(found):
        raise DataError(f"{files[0]} has changed since it was read: make the report again.")
    return found[number]


def _row_at(path: Path, start: int) -> RunRecord:
    for _, record in _in_file(path, start):
        return record
    raise DataError(f"{path} has changed since it was read: make the report again.")


def _in_file(path: Path, start: int = 0) -> Iterator[tuple[int, RunRecord]]:
    """Where each record begins, in bytes, and the record; ``sweep`` is what tracking=jsonl adds to it."""
    try:
        with _open(path) as file:
            for place, row in _rows(file, start):
                if not isinstance(row, dict):
                    raise ValueError("not a JSON object")  # noqa: TRY004, TRY301 (as JSON's own errors)
                yield place, RunRecord.from_json({key: row[key] for key in row if key != "sweep"})
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(
            f"{path} can't be read ({error}): name a record, or the folder of a point or a sweep."
        ) from error


def _rows(file: IO[bytes], start: int) -> Iterator[tuple[int, Any]]:
    """One value a line where the first line at ``start`` is one, else the whole file as one value."""
    file.seek(start)
    first = _line(file)
    if not first:
        return
    try:
        row = parse(first)
    except ValueError:
        yield start, parse(_within(first + file.read(MAX_BYTES)))
        return
    yield start, row
    place = start + len(first)
    while line := _line(file):
        if line.strip():
            yield place, parse(line)
        place += len(line)


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
    return sorted((path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found), key=_order)


def _order(path: Path) -> tuple[int, str]:
    number = path.parent.name.partition("_")[0]
    return (int(number) if number.isdigit() else 0, str(path))
