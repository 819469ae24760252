"""``python -m asr_scaling sync`` on a SQLite store:
what is brought, what is ended, what is left alone."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from support.studies import BASE, TINY, study
from support.warm import Started

from asr_scaling.cli import sync
from asr_scaling.core.cautions import NOT_TRACKED, caution
from asr_scaling.core.record import RunRecord
from asr_scaling.records.sweep_end import end_abandoned
from asr_scaling.records.sweep_lock import SweepLock
from asr_scaling.records.sweep_manifest import SweepManifest
from asr_scaling.tracking.mlflow import Mlflow

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
RECORDS = [
    replace(
        one,
        started_at=1e9 + i,
        ended_at=1e9 + i + 0.5,
        dataset={**one.dataset, "source": "made here"},
    )
    for i, one in enumerate(study((TINY, BASE), (5.0,), (1, 4)))
]


class Swept:
    """A sweep on disk and in a store of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "multirun" / "day" / "time"
        self.sink = Mlflow(f"sqlite:///{root}/mlflow.db", "speech", str(root / "artifacts"))

    def write(self, stored: int, **changes: Any) -> str:
        """Four records, the first ``stored`` of them in the store; the client is gone.
        The run of the sweep."""
        tracking = {"_target_": "asr_scaling.tracking.mlflow.Mlflow", **asdict(self.sink)}
        file = SweepManifest((), tracking=tracking, options={"seed": 42})
        self.folder.mkdir(parents=True)
        parent = self.sink.open("day time", {**file.options, "sweep_id": file.sweep_id})
        replace(file, parent=parent, **changes).write(self.folder)
        for i, record in enumerate(RECORDS):
            place = self.folder / f"{i}_point"
            lost = caution(NOT_TRACKED, reason="The server is away.")
            (record if i < stored else replace(record, cautions=(*record.cautions, lost))).write(
                place
            )
            if i < stored:
                self.sink.write(record, place, parent)
        return parent

    @property
    def client(self) -> Any:
        import mlflow

        return mlflow.MlflowClient(self.sink.uri)

    def runs(self, kind: str) -> list[Any]:
        experiment = self.client.get_experiment_by_name("speech").experiment_id
        return list(self.client.search_runs([experiment], f"tags.asr_scaling.kind = '{kind}'"))

    def records(self) -> list[RunRecord]:
        return [RunRecord.read(path) for path in sorted(self.folder.rglob("record.json"))]


@pytest.fixture
def swept(
    tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Swept]:
    import mlflow

    before = mlflow.get_tracking_uri()
    monkeypatch.chdir(tmp_path)
    yield Swept(tmp_path)
    mlflow.set_tracking_uri(before)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert sync.main(arguments) == status
    out, error = capsys.readouterr()
    return error if status else out


def test_what_is_missing_is_brought_once_and_the_sweep_is_ended(
    swept: Swept, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = swept.write(stored=1)
    (swept.folder / "report").mkdir()
    (swept.folder / "report" / "report.html").write_text("<p>")
    before = swept.folder / "sweep.json"
    kept = before.read_bytes()
    assert "3 of 4 records missing" in told(capsys, "--dry-run")
    assert before.read_bytes() == kept
    assert len(swept.runs("point")) == 1
    said = told(capsys)
    assert (
        said
        == "multirun/day/time: 3 of 4 records brought\n1 sweeps: 1 records were there, 3 brought.\n"
    )
    points = swept.runs("point")
    assert sorted(run.info.start_time for run in points) == [
        round(r.started_at * 1000) for r in RECORDS
    ]
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {parent}
    assert all("NotTracked" not in run.data.tags.get("cautions", "") for run in points)
    assert swept.records() == RECORDS
    (sweep,) = swept.runs("sweep")
    assert (sweep.info.run_id, sweep.info.status) == (parent, "KILLED")
    assert {f.path for f in swept.client.list_artifacts(parent)} >= {
        "config.json",
        "points.jsonl.gz",
        "report",
    }
    file = SweepManifest.read(swept.folder)
    assert file is not None
    assert (file.status, file.closed) == ("KILLED", True)

    ids = {run.info.run_id for run in points}
    assert "all 4 records were there" in told(capsys, "multirun/day/time")
    assert {run.info.run_id for run in swept.runs("point")} == ids


def test_a_finished_sweep_stays_finished(swept: Swept, capsys: pytest.CaptureFixture[str]) -> None:
    swept.write(stored=3, status="FINISHED")
    assert "1 of 4 records brought" in told(capsys)
    assert [run.info.status for run in swept.runs("sweep")] == ["FINISHED"]


def test_a_run_that_was_cut_while_it_was_written_gives_way(
    swept: Swept, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGKILL between the run's beginning and its end; and once before there was a record."""
    parent = swept.write(stored=4)
    first, *_ = sorted(swept.runs("point"), key=lambda run: run.info.start_time)
    swept.client.update_run(first.info.run_id, status="RUNNING")
    swept.client.delete_run(first.info.run_id)
    tags = {
        "asr_scaling.kind": "point",
        "mlflow.parentRunId": parent,
        "asr_scaling.place": "0_point",
    }
    experiment = first.info.experiment_id
    cut = swept.client.create_run(experiment, first.info.start_time, tags).info.run_id
    ghost = swept.client.create_run(
        experiment, 5, {**tags, "asr_scaling.place": "9_point"}
    ).info.run_id
    assert "1 of 4 records brought" in told(capsys)
    runs = {run.info.run_id: run for run in swept.runs("point")}
    assert cut not in runs
    assert ghost not in runs
    assert swept.client.get_run(ghost).info.status == "KILLED"
    assert sorted(run.data.tags["asr_scaling.place"] for run in runs.values()) == [
        f"{i}_point" for i in range(4)
    ]
    assert {run.info.status for run in runs.values()} <= {"FINISHED", "FAILED"}


def test_a_store_that_lost_everything_and_another_store(
    swept: Swept, fresh_database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = swept.write(stored=4)
    for run in (*swept.runs("point"), swept.client.get_run(parent)):
        swept.client.delete_run(run.info.run_id)
    shutil.copyfile(fresh_database, swept.root / "other.db")
    for uri in (swept.sink.uri, f"sqlite:///{swept.root}/other.db"):
        for said in ("4 of 4 records brought", "all 4 records were there"):
            assert said in told(capsys, "--tracking-uri", uri)
    assert "all 4 records were there" in told(capsys)  # each store is asked for what it has
    assert len(swept.runs("sweep")) == 1


def test_two_at_once_bring_each_record_once(swept: Swept) -> None:
    swept.write(stored=0)
    pair = [Started(swept.root, "asr_scaling.sync", (), os.environ) for _ in range(2)]
    said = "".join(process.communicate(timeout=120)[0] for process in pair)
    assert [process.returncode for process in pair] == [0, 0]
    assert "4 of 4 records brought" in said
    assert sorted(run.info.start_time for run in swept.runs("point")) == [
        round(r.started_at * 1000) for r in RECORDS
    ]


class TestLeftAlone:
    def test_a_sweep_that_runs(self, swept: Swept, capsys: pytest.CaptureFixture[str]) -> None:
        parent = swept.write(stored=1)
        hold = SweepLock.take(swept.folder)
        assert hold is not None
        assert "is being worked on by another process" in told(capsys)
        end_abandoned(
            Path("multirun"),
            swept.sink,
            SweepManifest.read(swept.folder).tracking,  # type: ignore[union-attr]
        )
        assert swept.client.get_run(parent).info.status == "RUNNING"
        hold.release()
        end_abandoned(
            Path("multirun"),
            swept.sink,
            SweepManifest.read(swept.folder).tracking,  # type: ignore[union-attr]
        )
        assert swept.client.get_run(parent).info.status == "KILLED"

    def test_a_sweep_of_another_machine(
        self, swept: Swept, capsys: pytest.CaptureFixture[str]
    ) -> None:
        parent = swept.write(stored=1, host="elsewhere")
        assert "may still run on elsewhere: left alone; --gone elsewhere says it doesn't" in told(
            capsys
        )
        end_abandoned(
            Path("multirun"),
            swept.sink,
            SweepManifest.read(swept.folder).tracking,  # type: ignore[union-attr]
        )
        assert swept.client.get_run(parent).info.status == "RUNNING"
        assert "3 of 4 records brought" in told(capsys, "--gone", "elsewhere")
        assert swept.client.get_run(parent).info.status == "KILLED"

    def test_a_sweep_of_another_store(self, swept: Swept) -> None:
        parent = swept.write(stored=1)
        end_abandoned(Path("multirun"), swept.sink, {"uri": "sqlite:///other.db"})
        assert swept.client.get_run(parent).info.status == "RUNNING"

    def test_a_sweep_that_was_not_tracked(
        self, swept: Swept, capsys: pytest.CaptureFixture[str]
    ) -> None:
        swept.folder.mkdir(parents=True)
        SweepManifest(()).write(swept.folder)
        RECORDS[0].write(swept.folder / "0_point")
        assert "not tracked in MLflow; --tracking-uri names a store" in told(capsys)
        for said in ("1 of 1 records brought", "all 1 records were there"):
            assert said in told(capsys, "--tracking-uri", swept.sink.uri)


class TestErrors:
    def test_a_store_that_is_away_is_one_sentence_and_asked_once(
        self, swept: Swept, capsys: pytest.CaptureFixture[str]
    ) -> None:
        swept.write(stored=0)
        for name in ("time", "later"):
            folder = swept.folder.with_name(name)
            folder.mkdir(exist_ok=True)
            file = SweepManifest.read(swept.folder)
            assert file is not None
            replace(file, tracking={**(file.tracking or {}), "uri": "http://127.0.0.1:9"}).write(
                folder
            )
        error = told(capsys, status=1)
        assert error.count("The tracking server does not answer") == 1
        assert "not asked again" in error
        assert all(
            any(c.kind == "NotTracked" for c in record.cautions) for record in swept.records()
        )

    def test_no_sweep(self, swept: Swept, capsys: pytest.CaptureFixture[str]) -> None:
        assert "There is no sweep.json below 'nowhere'" in told(capsys, "nowhere", status=1)

    def test_a_damaged_record_is_counted(
        self, swept: Swept, capsys: pytest.CaptureFixture[str]
    ) -> None:
        swept.write(stored=0)
        (swept.folder / "0_point" / "record.json").write_text("{")
        assert "3 of 3 records brought, 1 can't be read" in told(capsys)

    def test_a_damaged_sweep_file(self, swept: Swept, capsys: pytest.CaptureFixture[str]) -> None:
        swept.write(stored=0)
        (swept.folder / "sweep.json").write_text("{")
        assert "sweep.json can't be read" in told(capsys, status=1)


def test_a_point_that_does_not_say_its_run_keeps_the_points_file_from_being_written(
    swept: Swept,
) -> None:
    parent = swept.write(stored=4)
    assert swept.sink.points_file(swept.folder, parent) is not None
    row = json.loads((swept.folder / "0_point" / "mlflow.json").read_text())
    assert row["parent"] == parent
    (swept.folder / "0_point" / "mlflow.json").unlink()
    assert swept.sink.points_file(swept.folder, parent) is None


def test_sweep_files_of_this_machine_say_so() -> None:
    assert SweepManifest(()).here
    assert SweepManifest(()).host == platform.node()
