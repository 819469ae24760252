"""The experiment of a store: found, created, and with its artifacts where the project is now."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.errors import TrackingError
from asr_scaling.tracking import _moved
from asr_scaling.tracking._mlflow_client import client, deleted
from asr_scaling.tracking._sqlite import database
from asr_scaling.util.files import folder_name

EXPERIMENT = "asr_scaling"
ARTIFACTS = "mlartifacts"
_DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")
_ID = "MLFLOW_EXPERIMENT_ID"
_known: dict[tuple[str, str], str] = {}
"""Store and name of an experiment → its id."""


@dataclass(frozen=True)
class Experiment:
    """The experiment ``name`` of the store at ``uri``. Methods raise MLflow's own errors too.

    artifacts: folder for a new experiment's artifacts when the store is a database.
    """

    uri: str
    name: str
    artifacts: str

    def id(self, create: bool) -> str:
        """The experiment's id; "" where there is none and none is to be created.

        Raises TrackingError for a deleted one.
        """
        key = (self.uri, self.name)
        if key not in _known:
            store = client(self.uri)
            experiment = self._found(store)
            if experiment is None:
                if not create:
                    return ""
                experiment = self._new_experiment(store)
            own = str(experiment.experiment_id)
            if experiment.lifecycle_stage == "deleted":
                raise TrackingError(deleted("experiment", own, self.uri, self.name))
            self._settle(store, experiment)
            _known[key] = own
        return _known[key]

    def _found(self, store: Any) -> Any:
        """The experiment of that name, or else of that id, or None."""
        experiment = store.get_experiment_by_name(self.name)
        if experiment is None and self.name.isdecimal():
            try:
                return store.get_experiment(self.name)
            except Exception:  # MLflow's, of an id that it doesn't have
                if self.name == os.environ.get(_ID):
                    raise
        return experiment

    def _new_experiment(self, store: Any) -> Any:
        """Create it; another sweep may have been quicker."""
        file = database(self.uri)
        location = self._location.as_uri() if self.uri.startswith(_DATABASES) else None
        tags = {_moved.DATABASE: str(file)} if file else None
        try:
            own = store.create_experiment(self.name, location, tags)
            return store.get_experiment(own)
        except Exception:
            experiment = store.get_experiment_by_name(self.name)
            if experiment is None:
                raise
            return experiment

    @property
    def _location(self) -> Path:
        """Where a new experiment's artifacts go when the store is a database."""
        own = folder_name(self.name) or "experiment"
        return Path(self.artifacts).resolve() / own

    def _settle(self, store: Any, experiment: Any) -> None:
        """Have artifacts go to where the project is now.

        Raises TrackingError where ``artifacts`` is given and can't be honoured.
        """
        file, now = database(self.uri), experiment
        if file is not None:
            if _moved.follow(experiment, file, self._location):
                now = store.get_experiment(experiment.experiment_id)
            elif _moved.DATABASE not in experiment.tags:
                store.set_experiment_tag(experiment.experiment_id, _moved.DATABASE, str(file))
        place = _moved.local(str(now.artifact_location))
        if self.artifacts != ARTIFACTS and place != self._location:
            raise TrackingError(
                f"The experiment '{self.name}' keeps its artifacts in "
                f"{now.artifact_location}, so tracking.artifacts={self.artifacts} can't be "
                "honoured: leave it out, or set tracking.experiment to a new name."
            )

    def followed(self, own: str) -> bool:
        """Whether artifacts of the experiment with this id were found where the project is now."""
        file = database(self.uri)
        if file is not None:
            with suppress(sqlite3.Error):  # a project that may only be read
                return _moved.follow(client(self.uri).get_experiment(own), file, self._location)
        return False
