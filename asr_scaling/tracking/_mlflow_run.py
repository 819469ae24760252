"""A record as a run of MLflow: params, metrics, tags, dataset, artifacts and a trace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.tracking._load_steps import load_steps, of_a_load, with_ends
from asr_scaling.tracking._mlflow_client import search
from asr_scaling.tracking._mlflow_trace import log_stages
from asr_scaling.tracking._stored_runs import times
from asr_scaling.tracking._tags import LONGEST_TAG, params, place, tags

PLACE = "asr_scaling.place"
_STATUS = {"ok": "FINISHED", "interrupted": "KILLED", "failed": "FAILED", "out_of_memory": "FAILED"}
_MOST_PARAMS, _MOST_METRICS = 100, 1000
"""MLflow's limits for one request."""
_TABLE = "hypotheses.json"
_CUT = "cut"
"""Kind of a run that was cut and may not be deleted."""


def store(client: Any, experiment: str, record: RunRecord, folder: Path, parent: str | None) -> str:
    """Create a run with all of the record. Its end is set last, so a cut run has none."""
    start, end = times(record)
    own = {**tags(record, parent), PLACE: place(record, folder)}
    if record.transcripts:
        own["mlflow.loggedArtifacts"] = json.dumps([{"path": _TABLE, "type": "table"}])
    run = client.create_run(experiment, start, own, record.name).info
    run_id = str(run.run_id)
    _fill(client, run_id, record)
    _files(client, str(run.artifact_uri), record, folder)
    log_stages(client.tracking_uri, experiment, run_id, record)
    client.set_terminated(run_id, _STATUS[record.status], end)
    return run_id


def stored(
    client: Any, experiment: str, record: RunRecord, folder: Path, parent: str
) -> str | None:
    """The run that has all of the record, or None. The point's other runs are deleted."""
    own = f"tags.mlflow.parentRunId = '{parent}' and tags.{PLACE} = '{place(record, folder)}'"
    complete = None
    for run in search(client, experiment, f"{own} and tags.asr_scaling.kind != '{_CUT}'"):
        if complete is None and (run.info.start_time, run.info.end_time) == times(record):
            complete = str(run.info.run_id)
        else:
            _discard(client, str(run.info.run_id))
    return complete


def tag(client: Any, run_id: str, texts: Mapping[str, str]) -> None:
    """Set tags of a run."""
    for name, text in texts.items():
        client.set_tag(run_id, name, text[:LONGEST_TAG])


def end_cut(client: Any, run_id: str) -> None:
    """End a run that nobody writes any more; it is then no point of the sweep."""
    client.set_tag(run_id, "asr_scaling.kind", _CUT)
    client.set_terminated(run_id, "KILLED")


def _discard(client: Any, run_id: str) -> None:
    """Delete a run, or mark it as cut where the user may not delete."""
    try:
        client.delete_run(run_id)
    except Exception as error:
        if getattr(error, "error_code", "") != "PERMISSION_DENIED":
            raise
        end_cut(client, run_id)


def _fill(client: Any, run_id: str, record: RunRecord) -> None:
    from mlflow.entities import Dataset as MlflowDataset
    from mlflow.entities import DatasetInput, InputTag, Metric, Param

    now = times(record)[1]
    options = [Param(key, value) for key, value in params(record.config).items()]
    values = with_ends(m for m in record.metrics if not (record.loads and of_a_load(m.name)))
    own = [Metric(name, value, now, 0) for name, value in values.items()]
    client.log_batch(run_id, metrics=own, params=options[:_MOST_PARAMS])
    curves = [Metric(name, value, now, step) for name, value, step in load_steps(record)]
    for start in range(0, len(curves), _MOST_METRICS):
        client.log_batch(run_id, metrics=curves[start : start + _MOST_METRICS])
    for start in range(_MOST_PARAMS, len(options), _MOST_PARAMS):
        client.log_batch(run_id, params=options[start : start + _MOST_PARAMS])
    if info := record.dataset:
        dataset = MlflowDataset(
            name=info["name"],
            digest=info["digest"][:36],
            source_type="asr_scaling",
            source=str(info["source"]),
            profile=f'{{"utterances": {info["utterances"]}, "audio_s": {info["audio_s"]:.3f}}}',
        )
        context = InputTag("mlflow.data.context", "evaluation")
        _log_dataset(client, run_id, DatasetInput(dataset, [context]))


def _files(client: Any, address: str, record: RunRecord, folder: Path) -> None:
    """Store the artifacts at ``address``, the run's own; MLflow's client would ask for it again."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    store: Any = get_artifact_repository(address, tracking_uri=client.tracking_uri)
    if record.transcripts:
        columns = list(dict.fromkeys(key for row in record.transcripts for key in row))
        rows = [[row.get(key) for key in columns] for row in record.transcripts]
        with TemporaryDirectory() as scratch:
            table = Path(scratch) / _TABLE
            text = json.dumps({"columns": columns, "data": rows}, ensure_ascii=False)
            table.write_text(text, encoding="utf-8")
            store.log_artifact(str(table))
    for name in (RECORD_FILE, *record.artifacts):
        if (folder / name).exists():
            store.log_artifact(str(folder / name))


def _log_dataset(client: Any, run_id: str, dataset: Any) -> None:
    """Store the dataset, and try again when refused.

    When two processes are the first to store the same dataset, the server refuses one of them.
    """
    for left in (2, 1, 0):
        try:
            client.log_inputs(run_id, [dataset])
        except Exception as error:
            if not left or "unique" not in str(error).lower():
                raise
        else:
            return
