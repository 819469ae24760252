"""Find and read the records of a sweep."""

from __future__ import annotations

from pathlib import Path

from asr_scaling.errors import DataError
from asr_scaling.record import RECORD_FILE, RunRecord


def read_records(folder: Path) -> list[RunRecord]:
    """Every record below ``folder``, in the order of the points; one that can't be read is left out."""
    records = []
    for path in sorted(folder.rglob(RECORD_FILE), key=_order):
        try:
            records.append(RunRecord.read(path))
        except DataError:
            continue
    return records


def _order(path: Path) -> tuple[int, str]:
    number = path.parent.name.partition("_")[0]
    return (int(number) if number.isdigit() else 0, str(path))
