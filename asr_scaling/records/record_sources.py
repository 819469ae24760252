"""Sources of records as the user names them: folders, files, and runs in MLflow.

A report of a source is stored with the run of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from asr_scaling.core.ports import RunStore
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError
from asr_scaling.records.read import Again, Damaged, each_record
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest
from asr_scaling.tracking import store_at, store_of

MLFLOW = "mlflow:"
"""Begins a source that is in MLflow."""
_NOT = "not logged to MLflow: "


def records_of(
    source: str, uri: str | None = None, light: bool = False, damaged: Damaged | None = None
) -> Iterator[tuple[RunRecord, Again]]:
    """The records of ``source`` in their order, one at a time, each with what reads it again.

    source: the folder of a sweep or a point, a record file, a file of one record a line (both
        may be gzipped), or ``mlflow:`` with the id of a run or the name of an experiment.
    uri: the store in which ``mlflow:`` sources are, if another than where none is named.
    light: raw samples and texts may be left out where that saves work.
    damaged: receives a DataError for each record that can't be read; without it, it is raised.

    Raises ConfigError, DataError or TrackingError when nothing can be read.
    """
    if source.startswith(MLFLOW):
        return _stored(source, uri, light, damaged)
    if not os.path.exists(source) and "/" not in source:
        raise ConfigError(
            f"There is no file or folder '{source}' here: name the folder of a sweep, a record "
            f"file, or {MLFLOW}{source} for a run or an experiment in MLflow."
        )
    return each_record(Path(source), damaged)


def _stored(
    source: str, uri: str | None, light: bool, damaged: Damaged | None
) -> Iterator[tuple[RunRecord, Again]]:
    empty = True
    for record in store_at(uri).records(source.removeprefix(MLFLOW), light, damaged):
        empty = False
        yield record
    if empty:
        raise ConfigError(
            f"{source} has no record: name an experiment, or the run of a point or of a sweep."
        )


def log_report(folder: Path, sources: Sequence[str], uri: str | None) -> str:
    """Store the files of ``folder`` as artifacts "report" of the run of the one source.

    uri: address of the store, if another than the sweep's own.

    Returns what was done, or why nothing was. Raises TrackingError when the store fails, and
    DataError for a damaged sweep.json.
    """
    if len(sources) != 1:
        return f"{_NOT}the report is about several sources."
    (source,) = sources
    if source.startswith(MLFLOW):
        return _log(store_at(uri), folder, source.removeprefix(MLFLOW))
    manifest = SweepManifest.read(Path(source)) if Path(source).is_dir() else None
    if manifest is None:
        return f"{_NOT}{source} has no {SWEEP_FILE} that names its run."
    store = store_of(manifest.tracking, uri)
    if manifest.parent is None or store is None:
        return f"{_NOT}the sweep was not tracked there."
    return _log(store, folder, manifest.parent)


def _log(store: RunStore, folder: Path, run: str) -> str:
    if not store.log_report(folder, run):
        return f"{_NOT}'{run}' is an experiment, name a run to store it there."
    return f"Logged to MLflow: run {run}, artifacts below report/."
