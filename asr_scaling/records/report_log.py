"""The report's files into the run of the sweep that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asr_scaling.records.sources import MLFLOW
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepFile

_NOT = "not logged to MLflow: "


def log(folder: Path, sources: Sequence[str], uri: str | None) -> str:
    """Store the files of ``folder`` as artifacts "report" of the run of the one source; returns what was done, or why
    not. ``uri``: the store, if another than the sweep's own. TrackingError when it fails, DataError for a damaged
    sweep.json.
    """
    if len(sources) != 1:
        return f"{_NOT}the report is about several sources."
    (source,) = sources
    if source.startswith(MLFLOW):
        return _log(folder, source.removeprefix(MLFLOW), {"uri": uri} if uri else {})
    file = SweepFile.read(Path(source)) if Path(source).is_dir() else None
    if file is None:
        return f"{_NOT}{source} has no {SWEEP_FILE} that names its run."
    if file.parent is None or file.store is None:
        return f"{_NOT}the sweep was not tracked there."
    return _log(folder, file.parent, {**file.store, **({"uri": uri} if uri else {})})


def _log(folder: Path, run: str, options: Mapping[str, Any]) -> str:
    from asr_scaling.tracking.mlflow import Mlflow

    store = Mlflow(**options)
    if not store.log_report(folder, run):
        return f"{_NOT}'{run}' is an experiment, name a run to store it there."
    return f"Logged to MLflow: run {run}, artifacts below report/."
