"""MLflow: a parent run per sweep, a child per point. The only place that imports mlflow."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.environment import environment
from asr_scaling.errors import AsrScalingError, MissingExtraError, TrackingError
from asr_scaling.record import RECORD_FILE, RunRecord

_TIMEOUT_S = 5
_STATUS = {"ok": "FINISHED", "interrupted": "KILLED", "failed": "FAILED", "out_of_memory": "FAILED"}
_LONGEST_TAG = 5000
_MOST_PARAMS = 100
"""MLflow's limit for one batch."""


@dataclass(frozen=True)
class Mlflow:
    """``uri``: a database or a server. ``artifacts``: folder for artifacts when ``uri`` is a database."""

    uri: str = "sqlite:///mlflow.db"
    experiment: str = "asr_scaling"
    artifacts: str = "mlartifacts"

    def open(self, name: str, config: Mapping[str, Any]) -> str:
        """Check that the store answers (at most 15 s), create it when it is new, begin the parent run."""
        if self.uri.startswith(("http://", "https://")):
            self._check_server()
        with self._errors():
            client = self._client()
            tags = {**_common_tags(environment()), "asr_scaling.kind": "sweep"}
            run = client.create_run(self._experiment_id(client), run_name=name, tags=tags)
            client.log_dict(run.info.run_id, dict(config), "config.json")
            return str(run.info.run_id)

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """One child run: params, metrics (m, and m.low and m.high of its interval), tags, dataset, artifacts, trace."""
        with self._errors():
            client = self._client()
            experiment = self._experiment_id(client)
            name = record.name if record.round is None else f"{record.name} · round {record.round}"
            start = round(record.started_at * 1000)
            run = client.create_run(experiment, start, _tags(record, parent), name)
            self._fill(client, run.info.run_id, experiment, record, folder)
            client.set_terminated(run.info.run_id, _STATUS[record.status], round(record.ended_at * 1000))

    def close(self, parent: str, status: str, documents: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """End the parent run; the documents become its artifacts."""
        with self._errors():
            client = self._client()
            for name, document in (documents or {}).items():
                client.log_dict(parent, dict(document), name)
            client.set_terminated(parent, status)

    def records(self, run_id: str) -> list[RunRecord]:
        """The record of a point's run, or those below a sweep's run in the order they began. TrackingError."""
        if self.uri.startswith(("http://", "https://")):
            self._check_server()
        file = self.uri.removeprefix("sqlite:///").partition("?")[0]
        if self.uri.startswith("sqlite:///") and not Path(file).exists():  # asking would create it
            raise TrackingError(f"There is no MLflow database '{file}': name the store that has the run.")
        with self._errors():
            client = self._client()
            run = client.get_run(run_id)
            below = f"tags.mlflow.parentRunId = '{run_id}' and tags.asr_scaling.kind = 'point'"
            runs = client.search_runs([run.info.experiment_id], below, max_results=50_000, order_by=["start_time ASC"])
            return [record for found in (run, *runs) for record in _stored(client, found.info.run_id)]

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
        params = [Param(key, str(value)[:_LONGEST_TAG]) for key, value in _flat(record.config)]
        ends = {f"{key}.{end}": value for key, i in record.intervals.items() for end, value in asdict(i).items()}
        metrics = [Metric(name, value, now, 0) for name, value in (record.values | ends).items()]
        client.log_batch(run_id, metrics=metrics, params=params[:_MOST_PARAMS])
        for start in range(_MOST_PARAMS, len(params), _MOST_PARAMS):
            client.log_batch(run_id, params=params[start : start + _MOST_PARAMS])
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

    def _check_server(self) -> None:
        mend = f"start it, or set tracking.uri (now {_without_password(self.uri)}), or use tracking=jsonl"
        try:
            health = _without_password(self.uri).rstrip("/") + "/health"
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
            raise TrackingError(f"MLflow at {_without_password(self.uri)} can't be used: {reason}") from error


def _stored(client: Any, run_id: str) -> Iterator[RunRecord]:
    """The record that a run has, if any: the run of a sweep has none."""
    if any(found.path == RECORD_FILE for found in client.list_artifacts(run_id)):
        with TemporaryDirectory() as scratch:
            yield RunRecord.read(Path(client.download_artifacts(run_id, RECORD_FILE, scratch)))


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


def _common_tags(facts: Mapping[str, Any]) -> dict[str, str]:
    """Tags from an environment: a point's is its record's, wherever it is stored from."""
    return {
        "mlflow.source.name": "asr_scaling",
        "mlflow.source.git.commit": facts.get("commit") or "",
        "host": facts.get("host") or "",
        "asr_scaling.version": facts.get("versions", {}).get("asr-scaling") or "",
    }


def _tags(record: RunRecord, parent: str | None) -> dict[str, str]:
    facts = record.system.get("facts", {})
    tags = {
        **_common_tags(record.environment),
        "asr_scaling.kind": "point" if record.round is None else "round",
        "asr_scaling.status": record.status,
        "model": str(record.system.get("model", {}).get("name", "")),
        "engine": str(record.system.get("engine", "")),
        "device": str(record.system.get("device", "")),
        "weights": str(facts.get("weights", "")),
        "weights.source": str(facts.get("weights_source", "")),
        "batch": str(_config(record, "batch", "size")),
        "dataset": str(record.dataset.get("name", "")),
        "dataset.length_s": str(record.dataset.get("length_s")),
        "dataset.synthetic": str(record.dataset.get("synthetic", "")),
        "cautions": ", ".join(dict.fromkeys(caution.kind for caution in record.cautions)),
        "unavailable": "; ".join(f"{name}: {why}" for name, why in record.unavailable.items()),
        **record.tags,
    }
    if record.reason:
        tags["asr_scaling.reason"] = record.reason
    if parent:
        tags["mlflow.parentRunId"] = parent
    return {key: value[:_LONGEST_TAG] for key, value in tags.items() if value}


def _config(record: RunRecord, *path: str) -> Any:
    value: Any = record.config
    for key in path:
        value = value.get(key, {}) if isinstance(value, Mapping) else {}
    return "" if isinstance(value, Mapping) else value


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _without_password(uri: str) -> str:
    """The address without user and password."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else uri
