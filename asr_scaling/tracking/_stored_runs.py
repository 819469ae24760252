"""What is kept beside the records about MLflow: the run of each point, and a file for reports.

A point's folder has ``mlflow.json``, which names its run. A sweep's folder has one small file of
all its points.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import DataError
from asr_scaling.tracking._tracked import untracked
from asr_scaling.util.cache import write_atomic

POINTS_FILE = "points.jsonl.gz"
"""Every point of a sweep without its raw samples, an artifact of the sweep's run."""
_RUN_FILE = "mlflow.json"
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError)


def times(record: RunRecord) -> tuple[int, int]:
    """When the record began and ended, in milliseconds, as its run has it."""
    return round(record.started_at * 1000), round(record.ended_at * 1000)


def remember(folder: Path, record: RunRecord, parent: str | None, run_id: str) -> None:
    """Write into the point's folder which run below ``parent`` has its record."""
    row = {"run": run_id, "parent": parent, "times": times(record)}
    # not atomic: a file that was cut short can't be read, and then the store is asked
    (folder / _RUN_FILE).write_text(json.dumps(row), encoding="utf-8")


def remembered(folder: Path, record: RunRecord, parent: str | None) -> str | None:
    """The run below ``parent`` that has this very record; None when the folder names none."""
    try:
        row = json.loads((folder / _RUN_FILE).read_bytes())
        same = row["parent"] == parent and tuple(row["times"]) == times(record)
        return str(row["run"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def begin(folder: Path) -> bool:
    """Note that the point is about to be stored.

    True when this was noted before, so that the store may have something of the point.
    """
    before = (folder / _RUN_FILE).exists()
    (folder / _RUN_FILE).touch()
    return before


def forget(folder: Path) -> None:
    """Remove the note, so that the store is asked again."""
    (folder / _RUN_FILE).unlink(missing_ok=True)


def compact(record: RunRecord) -> RunRecord:
    """The record without transcripts, repeats, stages and steps; reports need none of these."""
    samples = tuple(
        replace(s, stages={}, step_s=(), tokens=(), first_token_s=None) for s in record.samples
    )
    return replace(record, samples=samples, transcripts=(), repeats={})


def write_points(folder: Path, parent: str) -> Path | None:
    """Write the file of the points that are stored below ``parent``, in the order they began.

    None where there are no points, or where a point's run is unknown: a report that reads the
    file would lack that point.
    """
    rows = []
    for path in folder.rglob(RECORD_FILE):
        try:
            record = RunRecord.read(path)
        except DataError:
            continue
        if record.round is not None or untracked(record):
            continue
        run = remembered(path.parent, record, parent)
        if run is None:
            return None
        row = {"run": run, **compact(record).to_json()}
        rows.append((record.started_at, json.dumps(row, ensure_ascii=False, allow_nan=False)))
    if not rows:
        return None
    lines = "".join(f"{line}\n" for _, line in sorted(rows))
    write_atomic(folder / POINTS_FILE, gzip.compress(lines.encode(), compresslevel=6))
    return folder / POINTS_FILE


def read_points(path: Path) -> Iterator[tuple[str, RunRecord]]:
    """Run and compact record of every point in the file.

    Raises DataError when the file is damaged.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                yield str(row.pop("run")), RunRecord.from_json(row)
    except _DAMAGED as error:
        raise DataError(
            f"{path.name} of the sweep's run can't be read ({error}): delete it there."
        ) from error
