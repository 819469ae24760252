"""MLflow: a parent run per sweep, a child run per point.

Only this module and those named ``_mlflow…`` import mlflow.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.core.option_checks import at_home
from asr_scaling.core.ports import ANSWER_FILE, RunKey, StoredSweep
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import DataError, TrackingError
from asr_scaling.machine.environment import environment
from asr_scaling.tracking import _mlflow_read, _mlflow_run, _server_check, _stored_runs
from asr_scaling.tracking._mlflow_client import client, errors, search
from asr_scaling.tracking._mlflow_experiment import ARTIFACTS, EXPERIMENT, Experiment
from asr_scaling.tracking._sqlite import make_whole, missing_database
from asr_scaling.tracking._tags import common_tags, place
from asr_scaling.tracking._tracked import STORE, VARIABLE, store_address

_SWEEP = "asr_scaling.sweep"
"""Tag of a sweep's run with the sweep_id, which is the same in every store."""
_own: set[str] = set()
"""Sweeps' runs that this process created. Below one of them there is nothing of a point until its
first ``write``, so the store need not be asked."""


@dataclass(frozen=True)
class Mlflow:
    """A store in MLflow. Methods raise TrackingError when it fails.

    uri: address of a database or a server; "": where no other is named.
    experiment: name of the experiment, or its id.
    artifacts: folder for a new experiment's artifacts when ``uri`` is a database.
    """

    uri: str = STORE
    experiment: str = EXPERIMENT
    artifacts: str = ARTIFACTS

    def __post_init__(self) -> None:
        object.__setattr__(self, "uri", at_home(self.uri or store_address()))
        object.__setattr__(self, "experiment", str(self.experiment or EXPERIMENT))
        object.__setattr__(self, "artifacts", at_home(self.artifacts))
        _server_check.refuse_secrets(self.uri)

    @property
    def _experiment(self) -> Experiment:
        return Experiment(self.uri, self.experiment, self.artifacts)

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the store answers, within 15 s, and begin the parent run or go on with it.

        A new database is created. A parent is found by ``earlier``, its run's id, or else by
        ``sweep_id`` in ``config``, as when the sweep came from another store; one that the store
        doesn't have is begun anew.
        """
        file = missing_database(self.uri)
        with errors(self.uri, self.experiment), _server_check.patience(self.uri, begin=True):
            if file:
                make_whole(file, lambda uri: client(uri).search_experiments(max_results=1))
            store, experiment = client(self.uri), self._experiment.id(create=True)
            sweep_id = str(config.get("sweep_id") or "")
            if earlier and (parent := _parent(store, experiment, earlier, sweep_id)):
                store.update_run(parent.info.run_id, status="RUNNING")
                if _mlflow_read.HAS_POINTS in parent.data.tags:
                    store.delete_tag(parent.info.run_id, _mlflow_read.HAS_POINTS)
                return str(parent.info.run_id)
            tags = {**common_tags(environment()), "asr_scaling.kind": "sweep"}
            if sweep_id:
                tags[_SWEEP] = sweep_id
            run = store.create_run(experiment, run_name=name, tags=tags)
            store.log_dict(run.info.run_id, dict(config), "config.json")
            _own.add(str(run.info.run_id))
            return str(run.info.run_id)

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Store a point as a child run: params, metrics, tags, dataset, artifacts and a trace.

        The interval of a metric m is stored as m.low and m.high. What one load showed is a metric
        by step, which is the load (_load_steps.py). Runs of the point that a cut
        sweep left are deleted, unless one has this very record whole. The run's id is noted in
        ``folder``, so that writing the record again costs no request. Rounds are not stored: their
        point is, once it is merged.
        """
        if record.round is not None or _stored_runs.remembered(folder, record, parent):
            return
        with self._store() as (store, experiment):
            asked = parent if _stored_runs.begin(folder) or parent not in _own else None
            run = _mlflow_run.stored(store, experiment, record, folder, asked) if asked else None
            run = run or _mlflow_run.store(store, experiment, record, folder, parent)
        _stored_runs.remember(folder, record, parent, run)

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """End the parent run. The files become its artifacts, folders below their names.

        What ``ANSWER_FILE`` says becomes tags of the run.
        """
        with self._store() as (store, _):
            for path in files:
                if path.is_dir():
                    store.log_artifacts(parent, str(path), path.name)
                else:
                    store.log_artifact(parent, str(path))
                if path.name == ANSWER_FILE:
                    _mlflow_run.tag(store, parent, json.loads(path.read_bytes()))
            if any(path.name == _stored_runs.POINTS_FILE for path in files):
                store.set_tag(parent, _mlflow_read.HAS_POINTS, "true")
            store.set_terminated(parent, status)

    def stored(self, earlier: str, sweep_id: str) -> StoredSweep | None:
        """What the store has of a sweep; None when it doesn't know it, or isn't there yet."""
        if missing_database(self.uri):
            return None
        if _server_check.served(self.uri):
            _server_check.check(self.uri)
        with errors(self.uri, self.experiment):
            store, experiment = client(self.uri), self._experiment.id(create=False)
            parent = _parent(store, experiment, earlier, sweep_id) if experiment else None
            if parent is None:
                return None
            runs = list(_mlflow_read.children(store, experiment, str(parent.info.run_id)))
            ended = all(run.info.status != "RUNNING" for run in (parent, *runs))
            complete = ended and _mlflow_read.HAS_POINTS in parent.data.tags
            ids = {_mlflow_read.key(run): str(run.info.run_id) for run in runs}
            return StoredSweep(ids, complete)

    def key(self, record: RunRecord, folder: Path) -> RunKey:
        """The key of the record in what ``stored`` returns."""
        return (place(record, folder), *_stored_runs.times(record))

    def remember(
        self, record: RunRecord, folder: Path, parent: str | None, run_id: str | None
    ) -> None:
        """Note in ``folder`` which run has the record; None: forget, ``write`` asks the store."""
        if run_id is None:
            _stored_runs.forget(folder)
        else:
            _stored_runs.remember(folder, record, parent, run_id)

    def points_file(self, folder: Path, parent: str) -> Path | None:
        """Write one file of all points below ``folder``; None where a point's run is unknown."""
        return _stored_runs.write_points(folder, parent)

    def end(self, earlier: str, sweep_id: str, status: str) -> None:
        """End the run of a sweep whose client is gone, and the runs of points that it cut.

        Nothing happens in a store that doesn't know the sweep.
        """
        with self._store(create=False) as (store, experiment):
            parent = _parent(store, experiment, earlier, sweep_id) if experiment else None
            if parent is None:
                return
            own, running = str(parent.info.run_id), " and attributes.status = 'RUNNING'"
            for run in list(_mlflow_read.children(store, experiment, own, running)):
                _mlflow_run.end_cut(store, str(run.info.run_id))
            if parent.info.status == "RUNNING":
                store.set_terminated(parent.info.run_id, status)

    def records(
        self, name: str, light: bool = False, damaged: list[DataError] | None = None
    ) -> Iterator[tuple[RunRecord, Callable[[], RunRecord]]]:
        """Records of an experiment, or of the run of a sweep or point, each with what refetches it.

        light: raw samples may be left out; a sweep's points are then read from one file, where
            it has one.
        damaged: receives a DataError for each record that can't be read; without it, it is raised.
        """
        self._check_store()
        with errors(self.uri, self.experiment):
            store = client(self.uri)
            experiment, runs = _mlflow_read.sources(store, name)
            if self._experiment.followed(experiment):
                experiment, runs = _mlflow_read.sources(store, name)
            for run in runs:
                yield from self._below(store, experiment, run, light, damaged)

    def record(self, run_id: str) -> RunRecord:
        """The record of a point's run. Raises DataError when it can't be read."""
        with errors(self.uri, self.experiment):
            return _mlflow_read.record_of(client(self.uri), run_id)

    def log_report(self, folder: Path, run_id: str) -> bool:
        """Store a report's files as artifacts "report" of the run.

        False where ``run_id`` is the name of an experiment: that has no artifacts.
        """
        self._check_store()
        with errors(self.uri, self.experiment):
            store = client(self.uri)
            if store.get_experiment_by_name(run_id) is not None:
                return False
            store.log_artifacts(run_id, str(folder), "report")
            return True

    @property
    def hint(self) -> str:
        """How to look at the results, and what named the store."""
        named = f", named by {VARIABLE}" if self.uri == os.environ.get(VARIABLE) else ""
        if _server_check.served(self.uri):
            return f"Compare in MLflow: {self.uri} (experiment {self.experiment}{named})"
        ours = "make ui, or  " if self.uri == STORE else ""
        shown = f"mlflow ui --backend-store-uri {shlex.quote(self.uri)}"
        return f"Compare in MLflow: {ours}{shown}{named and f'  ({named[2:]})'}"

    def _below(
        self, store: Any, experiment: str, run: Any, light: bool, damaged: list[DataError] | None
    ) -> Iterator[tuple[RunRecord, Callable[[], RunRecord]]]:
        """The records of the points of a sweep's run, or of a point's own run."""
        if light and _mlflow_read.HAS_POINTS in run.data.tags:
            own = str(run.info.run_id)
            deleted = _mlflow_read.deleted_of(store, experiment, own)
            with TemporaryDirectory() as scratch:
                file = Path(store.download_artifacts(own, _stored_runs.POINTS_FILE, scratch))
                for point, record in _stored_runs.read_points(file):
                    if point not in deleted:
                        yield record, partial(self.record, point)
            return
        points = _mlflow_read.points_of(store, experiment, run)
        for point, record in _mlflow_read.in_order(partial(self._readable, damaged), points):
            if record is not None:
                yield record, partial(self.record, point)

    def _readable(self, damaged: list[DataError] | None, run_id: str) -> RunRecord | None:
        try:
            return self.record(run_id)
        except DataError as error:
            if damaged is None:
                raise
            damaged.append(DataError(f"Run {run_id}: {error}"))
            return None

    @contextmanager
    def _store(self, create: bool = True) -> Iterator[tuple[Any, str]]:
        """The client and the id of the experiment, for a block that writes.

        The id is "" where the experiment doesn't exist and is not created.
        """
        with errors(self.uri, self.experiment), _server_check.patience(self.uri):
            yield client(self.uri), self._experiment.id(create)

    def _check_store(self) -> None:
        """Raises TrackingError where there is no store; a request would create a database."""
        if _server_check.served(self.uri):
            _server_check.check(self.uri)
        if file := missing_database(self.uri):
            raise TrackingError(
                f"There is no MLflow database '{file}': name the store that has the run."
            )


def _parent(store: Any, experiment: str, earlier: str, sweep_id: str) -> Any:
    """The run of a sweep, by its id or else the sweep's; None when the store has neither."""
    filters = [f"attributes.run_id = '{earlier}'"] if earlier.isalnum() else []
    filters += [f"tags.{_SWEEP} = '{sweep_id}'"] if sweep_id else []
    for condition in filters:
        for run in search(store, experiment, condition):
            return run
    return None
