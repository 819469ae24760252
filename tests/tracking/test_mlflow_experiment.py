"""The experiment of a store: by which name, in which store, and where its artifacts are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from support.fakes import make_job

from asr_scaling.errors import ConfigError, TrackingError
from asr_scaling.measure.job import run
from asr_scaling.records.record_sources import records_of
from asr_scaling.sweep.instantiate import options
from asr_scaling.tracking import _mlflow_experiment, store_at
from asr_scaling.tracking._mlflow_client import client, errors
from asr_scaling.tracking.mlflow import Mlflow
from asr_scaling.util.config_dir import conf_dir

VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID")
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own use of SQLAlchemy and pydantic


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a sweep of one point in MLflow; it is the current one."""
    import mlflow

    before, folder = mlflow.get_tracking_uri(), tmp_path / "one"
    folder.mkdir()
    measured(folder, "first", monkeypatch)
    yield folder
    mlflow.set_tracking_uri(before)


def measured(project: Path, name: str, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """One more sweep of one point, by a new process as far as the store can tell."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(_mlflow_experiment, "_known", {})
    sink = Mlflow(store(project), **given)
    parent = sink.open(name, {})
    run(make_job(tracking=sink, name=name, folder=project / name), parent=parent)
    sink.close(parent, "FINISHED")


def store(project: Path) -> str:
    """Address of its database; whole, since MLflow keeps what it has opened by its address."""
    return f"sqlite:///{project}/mlflow.db"


def artifacts(folder: Path) -> int:
    return len(list(folder.glob("mlartifacts/**/record.json")))


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_a_project_that_was_moved_or_copied(
    project: Path, monkeypatch: pytest.MonkeyPatch, move: Any, tagged: bool
) -> None:
    if not tagged:  # a database of an older version
        client(store(project)).delete_experiment_tag("1", "asr_scaling.database")
    there = project.with_name("two, moved")
    move(project, there)
    measured(there, "second", monkeypatch)
    assert artifacts(there) == 2
    assert project.exists() == (move is shutil.copytree)
    assert artifacts(project) == project.exists()
    shutil.rmtree(project, ignore_errors=True)
    found = [record.name for record, _ in records_of("mlflow:asr_scaling", store(there))]
    assert sorted(found) == ["first", "second"]


def test_a_moved_project_is_read_before_anything_is_written_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = project.with_name("two")
    shutil.move(project, there)
    monkeypatch.chdir(there)
    found = [record.name for record, _ in records_of("mlflow:asr_scaling", store(there))]
    assert found == ["first"]


def test_a_database_that_moved_alone_keeps_its_artifacts_where_they_are(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = project.with_name("two")
    there.mkdir()
    shutil.move(project / "mlflow.db", there)
    measured(there, "second", monkeypatch)
    assert (artifacts(project), artifacts(there)) == (2, 0)


def test_artifacts_elsewhere_are_refused_once_the_experiment_exists(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        TrackingError, match=r"so tracking\.artifacts=other can't be honoured: leave"
    ):
        measured(project, "second", monkeypatch, artifacts="other")
    measured(project, "third", monkeypatch, artifacts="other", experiment="new")
    assert len(list(project.glob("other/new/**/record.json"))) == 1


def test_a_name_of_an_experiment_leads_nowhere_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("../../up", "/Users/ann/speech", ".."):
        measured(project, f"of {len(name)}", monkeypatch, experiment=name)
    assert artifacts(project) == 4
    assert not list(project.parent.glob("up*"))


def test_a_deleted_experiment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(store(project)).delete_experiment("1")
    with pytest.raises(TrackingError) as caught:
        measured(project, "second", monkeypatch)
    restore = f"MLFLOW_TRACKING_URI={store(project)} mlflow experiments restore --experiment-id 1"
    assert str(caught.value) == (
        f"The experiment 'asr_scaling' was deleted in MLflow at {store(project)}: bring it back "
        f"with  {restore} , or set tracking.experiment to another name."
    )


def test_an_experiment_or_a_sweep_deleted_between_points(project: Path) -> None:
    sink, api = Mlflow(store(project)), client(store(project))
    parent = sink.open("second", {})
    api.delete_run(parent)
    with pytest.raises(TrackingError, match=rf"mlflow runs restore --run-id {parent} , or begin"):
        sink.close(parent, "FINISHED")
    api.delete_experiment("1")
    record = run(make_job(tracking=sink, name="x", folder=project / "x"), parent=parent)
    assert "mlflow experiments restore --experiment-id 1" in record.cautions[-1].message


@pytest.mark.parametrize(
    ("given", "uri", "experiment"),
    [
        ({}, "sqlite:///mlflow.db", "asr_scaling"),
        ({"MLFLOW_TRACKING_URI": "http://team:5000"}, "http://team:5000", "asr_scaling"),
        ({"MLFLOW_TRACKING_URI": ""}, "sqlite:///mlflow.db", "asr_scaling"),
        ({"MLFLOW_EXPERIMENT_NAME": "speech"}, "sqlite:///mlflow.db", "speech"),
        ({"MLFLOW_EXPERIMENT_ID": "7"}, "sqlite:///mlflow.db", "7"),
        (
            {"MLFLOW_EXPERIMENT_NAME": "speech", "MLFLOW_EXPERIMENT_ID": "7"},
            "sqlite:///mlflow.db",
            "speech",
        ),
    ],
)
def test_the_variables_of_every_client_of_mlflow(
    given: dict[str, str], uri: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    sink = composed()
    assert (sink.uri, sink.experiment) == (uri, experiment)
    assert store_at(None).uri == uri
    assert ("named by MLFLOW_TRACKING_URI" in sink.hint) == (uri in given.values())
    told = composed("tracking.uri=sqlite:///x.db", "tracking.experiment=y")
    assert (told.uri, told.experiment) == ("sqlite:///x.db", "y")


def composed(*overrides: str) -> Mlflow:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        own = options(compose("config", [*overrides]))["tracking"]
    return Mlflow(**{key: value for key, value in own.items() if key != "_target_"})


def test_a_password_in_the_variable_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hunter2@team:5000")
    with pytest.raises(ConfigError, match=r"^MLFLOW_TRACKING_URI names a user or a password"):
        store_at(None)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("attempt to write a readonly database", "may not be written: set tracking.uri to another"),
        ("database or disk is full", "is on a full disk: set tracking.uri to another store, or"),
        ("unable to open database file", "can't be opened: set tracking.uri to another store"),
    ],
)
def test_a_database_that_can_not_be_written(said: str, sentence: str) -> None:
    with (
        pytest.raises(TrackingError, match=f"^MLflow's database at sqlite:///x.db {sentence}"),
        errors("sqlite:///x.db"),
    ):
        raise RuntimeError(f"(raised as a result of autoflush)\n(sqlite3.OperationalError) {said}")


def test_an_id_names_an_experiment_that_is_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "1")
    measured(project, "second", monkeypatch, experiment="1")
    assert artifacts(project) == 2
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    with pytest.raises(TrackingError, match="77"):
        measured(project, "third", monkeypatch, experiment="77")


def test_asking_one_store_names_no_other_for_later_commands(project: Path) -> None:
    client(store(project))
    assert store_at(None).uri == "sqlite:///mlflow.db"
    assert Mlflow("").uri == "sqlite:///mlflow.db"
