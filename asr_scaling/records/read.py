"""Find and read the records of a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from asr_scaling.errors import DataError
from asr_scaling.record import RECORD_FILE, RunRecord
from asr_scaling.records.merge import whole_points


def read_records(folder: Path) -> list[RunRecord]:
    """Every point below ``folder``, in their order, its rounds as one; a record that can't be read is left out."""
    found = []
    for path in _below(folder):
        try:
            found.append((path, RunRecord.read(path)))
        except DataError:
            continue
    return whole_points(found)


def read_all(path: Path) -> list[RunRecord]:
    """The records in a record file, in a file of one record a line (tracking=jsonl), or below a folder.

    DataError when there is none, or when one can't be read: a missing point would go unnoticed.
    """
    if path.is_dir():
        found = whole_points([(file, record) for file in _below(path) for record in _in_file(file)])
    else:
        found = _in_file(path)
    if not found:
        raise DataError(f"{path} holds no {RECORD_FILE}: name a record, or the folder of a point or a sweep.")
    return found


def _in_file(path: Path) -> list[RunRecord]:
    try:
        rows = _rows(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} can't be read ({error}): name a record, or the folder of a point or a sweep."
        ) from error
    try:
        return [RunRecord.from_json({key: row[key] for key in row if key != "sweep"}) for row in rows]
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _rows(text: str) -> list[dict[str, Any]]:
    """One object, or one a line; ``sweep`` is what tracking=jsonl adds to a record."""
    try:
        rows = [json.loads(text)]
    except ValueError:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("not a JSON object")
    return rows


def _below(folder: Path) -> list[Path]:
    return sorted(folder.rglob(RECORD_FILE), key=_order)


def _order(path: Path) -> tuple[int, str]:
    number = path.parent.name.partition("_")[0]
    return (int(number) if number.isdigit() else 0, str(path))
