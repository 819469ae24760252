"""MLflow: a parent run per sweep, a child per point. The only place that imports mlflow."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.environment import environment
from asr_scaling.errors import AsrScalingError, MissingExtraError, TrackingError
from asr_scaling.record import RECORD_FILE, RunRecord
from asr_scaling.tracking import STORE
from asr_scaling.tracking._sqlite import database, make_whole
from asr_scaling.tracking._tags import common_tags, params, tags, without_password

_TIMEOUT_S = 5
_STATUS = {"ok": "FINISHED", "interrupted": "KILLED", "failed": "FAILED", "out_of_memory": "FAILED"}
_PLACE = "asr_scaling.place"
_MOST_PARAMS = 100
"""MLflow's limit for one batch."""


@dataclass(frozen=True)
class Mlflow:
    """``uri``: a database or a server. ``artifacts``: folder for artifacts when ``uri`` is a database."""

    uri: str = STORE
    experiment: str = "asr_scaling"
    artifacts: str = "mlartifacts"

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the store answers (at most 15 s), create it when it is new, begin the parent run or go on with it.

        An ``earlier`` parent that the store no longer has is begun anew.
        """
        if self.uri.startswith(("http://", "https://")):
            self._check_server()
        file = database(self.uri)
        with self._errors():
            if file and not file.exists():
                make_whole(file, lambda uri: Mlflow(uri)._client().search_experiments(max_results=1))
            client, experiment = self._client(), self._experiment_id(self._client())
            if earlier and _has(client, experiment, earlier):
                client.update_run(earlier, status="RUNNING")
                return earlier
            own = {**common_tags(environment()), "asr_scaling.kind": "sweep"}
            run = client.create_run(experiment, run_name=name, tags=own)
            client.log_dict(run.info.run_id, dict(config), "config.json")
            return str(run.info.run_id)

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """One child run: params, metrics (m, and m.low and m.high of its interval), tags, dataset, artifacts, trace.

        What a sweep that was cut left of the point is deleted, unless it is this very record, stored whole.
        """
        with self._errors():
            client = self._client()
            experiment = self._experiment_id(client)
            if parent and _stored(client, experiment, record, folder, parent):
                return
            name = record.name if record.round is None else f"{record.name} · round {record.round}"
            start = round(record.started_at * 1000)
            own = {**tags(record, parent), _PLACE: _place(record, folder)}
            run = client.create_run(experiment, start, own, name)
            self._fill(client, run.info.run_id, experiment, record, folder)
            client.set_terminated(run.info.run_id, _STATUS[record.status], round(record.ended_at * 1000))

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """End the parent run; the files, and folders under their names, become its artifacts."""
        with self._errors():
            client = self._client()
            for path in files:
                if path.is_dir():
                    client.log_artifacts(parent, str(path), path.name)
                else:
                    client.log_artifact(parent, str(path))
            client.set_terminated(parent, status)

    def runs(self, name: str) -> list[str]:
        """The runs of points, in the order they began: that of a point itself, or those below the run of a sweep, or
        those of all sweeps of an experiment of that name. TrackingError."""
        self._check_store()
        with self._errors():
            client = self._client()
            found = client.get_experiment_by_name(name)
            experiment, where = (found.experiment_id, "") if found else (client.get_run(name).info.experiment_id, name)
            points = "tags.asr_scaling.kind = 'point'"
            below = f"{points} and tags.mlflow.parentRunId = '{where}'" if where else points
            runs = client.search_runs([experiment], below, max_results=50_000, order_by=["start_time ASC"])
            ids = [run_id for run_id in (where, *(run.info.run_id for run in runs)) if run_id]
            return [run_id for run_id in ids if any(f.path == RECORD_FILE for f in client.list_artifacts(run_id))]

    def record(self, run_id: str) -> RunRecord:
        """The record of one of ``runs``. TrackingError, or DataError when it can't be read."""
        with self._errors(), TemporaryDirectory() as scratch:
            return RunRecord.read(Path(self._client().download_artifacts(run_id, RECORD_FILE, scratch)))

    def log_report(self, folder: Path, run_id: str) -> bool:
        """A report's files become artifacts of the run, below "report". False for the name of an experiment: it has
        none. TrackingError."""
        self._check_store()
        with self._errors():
            client = self._client()
            if client.get_experiment_by_name(run_id) is not None:
                return False
            client.log_artifacts(run_id, str(folder), "report")
            return True

    @property
    def hint(self) -> str:
        """How to look at the results."""
        if self.uri.startswith("http"):
            return f"Compare in MLflow: {self.uri} (experiment {self.experiment})"
        return f"Compare in MLflow: make ui, or  mlflow ui --backend-store-uri {self.uri}"

    def _fill(self, client: Any, run_id: str, experiment: str, record: RunRecord, folder: Path) -> None:
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag, Metric, Param

        now = round(record.ended_at * 1000)
        options = [Param(key, value) for key, value in params(record.config).items()]
        ends = {f"{key}.{end}": value for key, i in record.intervals.items() for end, value in asdict(i).items()}
        metrics = [Metric(name, value, now, 0) for name, value in (record.values | ends).items()]
        client.log_batch(run_id, metrics=metrics, params=options[:_MOST_PARAMS])
        for start in range(_MOST_PARAMS, len(options), _MOST_PARAMS):
            client.log_batch(run_id, params=options[start : start + _MOST_PARAMS])
        info = record.dataset
        if info:
            dataset = MlflowDataset(
                name=info["name"],
                digest=info["digest"][:36],
                source_type="asr_scaling",
                source=str(info["source"]),
                profile=f'{{"utterances": {info["utterances"]}, "audio_s": {info["audio_s"]:.3f}}}',
            )
            client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])])
        if record.transcripts:
            columns = dict.fromkeys(key for row in record.transcripts for key in row)
            table = {key: [row.get(key) for row in record.transcripts] for key in columns}
            client.log_table(run_id, table, "hypotheses.json")
        for name in (RECORD_FILE, *record.artifacts):
            if (folder / name).exists():
                client.log_artifact(run_id, str(folder / name))
        _log_stages(experiment, run_id, record)

    def _client(self) -> Any:
        """A client for the store; quiet, without telemetry, and soon tired of a server that does not answer."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            import mlflow
        except ModuleNotFoundError as error:
            raise MissingExtraError("mlflow") from error
        for noisy in ("alembic", "mlflow", "mlflow.store.db.utils"):  # importing mlflow sets their levels
            logging.getLogger(noisy).setLevel(logging.ERROR)
        mlflow.set_tracking_uri(self.uri)
        return mlflow.MlflowClient(self.uri)

    def _experiment_id(self, client: Any) -> str:
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        served = self.uri.startswith("http")
        location = None if served else (Path(self.artifacts).resolve() / self.experiment).as_uri()
        return str(client.create_experiment(self.experiment, artifact_location=location))

    def _check_store(self) -> None:
        """That there is one: asking would create a database."""
        if self.uri.startswith(("http://", "https://")):
            self._check_server()
        file = database(self.uri)
        if file and not file.exists():
            raise TrackingError(f"There is no MLflow database '{file}': name the store that has the run.")

    def _check_server(self) -> None:
        mend = f"start it, or set tracking.uri (now {without_password(self.uri)}), or use tracking=jsonl"
        try:
            health = without_password(self.uri).rstrip("/") + "/health"
            with urllib.request.urlopen(health, timeout=_TIMEOUT_S):
                return
        except urllib.error.HTTPError as error:
            if error.code not in (401, 403):
                raise TrackingError(f"The tracking server answers with error {error.code}: {mend}.") from error
        except (OSError, ValueError, HTTPException) as error:
            raise TrackingError(f"The tracking server does not answer: {mend}.") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever the store throws becomes one sentence."""
        try:
            yield
        except AsrScalingError:
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise TrackingError(f"MLflow at {without_password(self.uri)} can't be used: {reason}") from error


def _has(client: Any, experiment: str, run_id: str) -> bool:
    return bool(client.search_runs([experiment], f"attributes.run_id = '{run_id}'", max_results=1))


def _stored(client: Any, experiment: str, record: RunRecord, folder: Path, parent: str) -> bool:
    """Whether the store has ``record``; anything else it has of the point is deleted."""
    own = f"tags.mlflow.parentRunId = '{parent}' and tags.{_PLACE} = '{_place(record, folder)}'"
    times, there = (round(record.started_at * 1000), round(record.ended_at * 1000)), False
    for run in client.search_runs([experiment], own):
        if (run.info.start_time, run.info.end_time) == times:
            there = True
        else:
            client.delete_run(run.info.run_id)
    return there


def _place(record: RunRecord, folder: Path) -> str:
    return folder.name if record.round is None else f"{folder.name}, round {record.round}"


def _log_stages(experiment: str, run_id: str, record: RunRecord) -> None:
    """The median call as a trace, one span a stage, written afterwards so that it costs the call nothing."""
    import mlflow

    if not record.samples:
        return
    sample = sorted(record.samples, key=lambda s: s.total_s)[len(record.samples) // 2]
    start = round(sample.started_at * 1e9)
    root = mlflow.start_span_no_context(
        name=f"transcribe {record.name}",
        inputs={"utterances": list(sample.utterances), "audio_s": sample.audio_s},
        metadata={"mlflow.sourceRun": run_id},
        experiment_id=experiment,
        start_time_ns=start,
    )
    clock = start
    for name, seconds in sample.stages.items():
        span = mlflow.start_span_no_context(name=name, parent_span=root, start_time_ns=clock)
        clock += round(seconds * 1e9)
        span.end(end_time_ns=clock)
    root.end(end_time_ns=start + round(sample.total_s * 1e9))
