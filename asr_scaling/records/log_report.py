"""A report's files are stored with the run of the sweep that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr_scaling.core.ports import RunStore
from asr_scaling.records.sources import MLFLOW
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest
from asr_scaling.tracking import STORE, store_at, store_of

_NOT = "not logged to MLflow: "


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
        return _log(store_at(uri or STORE), folder, source.removeprefix(MLFLOW))
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
