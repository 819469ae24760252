"""MLflow, on a real SQLite store: one sweep of three points is written once
and looked at from all sides."""

from __future__ import annotations

import json
import shutil
import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.fakes import FakeClock, FakeDataset, Recorder, brief, make_job

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import TrackingError
from asr_scaling.machine.environment import environment
from asr_scaling.measure.job import run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality
from asr_scaling.records.merge import merge
from asr_scaling.tracking._sqlite import make_whole
from asr_scaling.tracking._tags import tags
from asr_scaling.tracking.mlflow import Mlflow

CONFIG = {
    "model": {"name": "toy", "architecture": {"layers": 2, "kernels": [3, 3]}},
    "batch": {"size": 2},
    "dataset": {"length_s": None},
}


def artifact(session: Any) -> Findings:
    (session.folder / "extra.csv").write_text("a,b\n")
    return Findings(artifacts=("extra.csv", "never_written.csv"), tags={"ops/clock": "cpu"})


def interrupt(session: Any) -> Findings:
    raise KeyboardInterrupt


@dataclass
class Store:
    sink: Mlflow
    parent: str
    root: Path
    records: dict[str, RunRecord] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    sweep: Any = None
    client: Any = None

    def artifacts(self, name: str) -> set[str]:
        return {found.path for found in self.client.list_artifacts(self.runs[name].info.run_id)}

    def below(self, parent: str) -> list[Any]:
        experiments = [self.sweep.info.experiment_id]
        return list(self.client.search_runs(experiments, f"tags.mlflow.parentRunId = '{parent}'"))

    def text(self, run_id: str, path: str, folder: Path) -> str:
        return Path(self.client.download_artifacts(run_id, path, str(folder))).read_text(
            encoding="utf-8"
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    root = tmp_path_factory.mktemp("mlflow")
    sink = Mlflow(f"sqlite:///{root}/mlflow.db", "speech", str(root / "artifacts"))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            patch.delenv(name, raising=False)
        warnings.simplefilter("ignore")  # MLflow's own use of SQLAlchemy and pydantic
        import mlflow

        tracking_uri = mlflow.get_tracking_uri()
        found = Store(sink, sink.open("sweep 1", CONFIG), root)
        ended(found, root)
        found.client = mlflow.MlflowClient(sink.uri)
        experiment = found.client.get_experiment_by_name("speech")
        for entry in found.client.search_runs([experiment.experiment_id]):
            if entry.info.run_id != found.parent:
                found.runs[entry.info.run_name] = entry
        found.sweep = found.client.get_run(found.parent)
        yield found
        mlflow.set_tracking_uri(tracking_uri)


def ended(store: Store, root: Path) -> None:
    """One point of each status, then the end of the sweep."""
    measurements = {
        "latency": Latency(),
        "quality": Quality("none"),
        "extra": Recorder("extra", then=artifact),
    }
    common = {
        "config": CONFIG,
        "tracking": store.sink,
        "size": 2,
        "pipeline": brief(min_iterations=6),
    }
    jobs = {
        "ok": {"profiler": measurements, "dataset": FakeDataset(info={"synthetic": True})},
        "out_of_memory": {"engine": {"max_batch": 1}},
        "failed": {"engine": {"fail_on": "toy"}},
        "interrupted": {
            "profiler": {"latency": Latency(), "stop": Recorder("stop", then=interrupt)}
        },
    }
    for name, changes in jobs.items():
        folder = root / name
        folder.mkdir()
        job = make_job(FakeClock(), name=name, folder=folder, **(common | changes))
        try:
            store.records[name] = run(job, parent=store.parent)
        except KeyboardInterrupt:
            store.records[name] = RunRecord.read(folder / "record.json")
    (root / "certificate.json").write_text('{"status": "pass"}')
    (root / "report").mkdir()
    (root / "report" / "report.html").write_text("<p>found</p>")
    store.sink.close(store.parent, "FINISHED", [root / "certificate.json", root / "report"])


def test_a_parent_with_a_child_per_point(store: Store):
    assert set(store.runs) == {"ok", "out_of_memory", "failed", "interrupted"}
    assert {entry.data.tags["mlflow.parentRunId"] for entry in store.runs.values()} == {
        store.parent
    }
    assert store.sweep.info.run_name == "sweep 1"
    assert store.sweep.info.status == "FINISHED"
    assert store.sweep.data.tags["asr_scaling.kind"] == "sweep"
    assert {entry.data.tags["asr_scaling.kind"] for entry in store.runs.values()} == {"point"}


def test_the_parent_has_the_options(store: Store, tmp_path: Path):
    assert json.loads(store.text(store.parent, "config.json", tmp_path)) == CONFIG


def test_the_parent_has_the_files_of_the_end(store: Store, tmp_path: Path):
    assert json.loads(store.text(store.parent, "certificate.json", tmp_path)) == {"status": "pass"}
    assert store.text(store.parent, "report/report.html", tmp_path) == "<p>found</p>"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("ok", "FINISHED"),
        ("out_of_memory", "FAILED"),
        ("failed", "FAILED"),
        ("interrupted", "KILLED"),
    ],
)
def test_status(store: Store, name: str, status: str):
    entry, record = store.runs[name], store.records[name]
    assert entry.info.status == status
    assert entry.data.tags["asr_scaling.status"] == record.status == name
    assert entry.data.tags.get("asr_scaling.reason") == record.reason
    assert entry.info.start_time == round(record.started_at * 1000)
    assert entry.info.end_time == round(record.ended_at * 1000)


@pytest.mark.parametrize("name", ["ok", "out_of_memory", "failed", "interrupted"])
def test_metrics_are_the_records_to_the_last_bit(store: Store, name: str):
    record = store.records[name]
    ends = {
        f"{key}.{end}": getattr(i, end)
        for key, i in record.intervals.items()
        for end in ("low", "high")
    }
    assert store.runs[name].data.metrics == record.values | ends


def test_there_are_metrics(store: Store):
    assert {"latency/p50_s", "stage/encoder_s", "quality/wer"} <= set(store.runs["ok"].data.metrics)
    assert store.runs["interrupted"].data.metrics["throughput/rtfx"] > 0
    assert store.runs["failed"].data.metrics == {}


def test_intervals_stand_beside_their_metrics(store: Store):
    metrics = store.runs["ok"].data.metrics
    assert metrics["latency/p50_s.low"] <= metrics["latency/p50_s"] <= metrics["latency/p50_s.high"]
    assert "workload/iterations.low" not in metrics


class TestReadingBack:
    def test_a_points_run_gives_its_record(self, store: Store):
        ((record, again),) = store.sink.records(store.runs["ok"].info.run_id)
        assert record.to_json() == again().to_json() == store.records["ok"].to_json()

    def test_a_sweeps_run_gives_its_points_in_order(self, store: Store):
        found = [record for record, _ in store.sink.records(store.parent)]
        assert [record.name for record in found] == ["ok", "out_of_memory", "failed", "interrupted"]
        assert [record.status for record in found] == [
            store.records[record.name].status for record in found
        ]

    def test_light_records_are_one_file_of_the_sweep_and_fetched_whole(
        self, store: Store, tmp_path: Path
    ):
        shutil.copytree(
            store.root, tmp_path / "sweep", ignore=shutil.ignore_patterns("artifacts", "*.db")
        )
        file = store.sink.points_file(tmp_path / "sweep", store.parent)
        assert file is not None
        store.sink.close(store.parent, "FINISHED", [file])
        found = list(store.sink.records(store.parent, light=True))
        assert [record.name for record, _ in found] == [
            "ok",
            "out_of_memory",
            "failed",
            "interrupted",
        ]
        assert not found[0][0].transcripts
        assert [again().to_json() for _, again in found] == [
            store.records[r.name].to_json() for r, _ in found
        ]
        assert (
            store.sink.open("sweep 1", {}, store.parent) == store.parent
        )  # goes on: the file is not whole any more
        assert next(store.sink.records(store.parent, light=True))[0].transcripts
        store.sink.close(store.parent, "FINISHED")

    def test_a_point_that_was_deleted_is_not_in_the_file_either(self, store: Store, tmp_path: Path):
        parent = store.sink.open("sweep 7", {})
        for name in ("kept", "deleted"):
            folder = tmp_path / name
            folder.mkdir()
            run(make_job(FakeClock(), name=name, folder=folder, tracking=store.sink), parent=parent)
        file = store.sink.points_file(tmp_path, parent)
        assert file is not None
        store.sink.close(parent, "FINISHED", [file])
        (gone,) = store.client.search_runs(
            [store.sweep.info.experiment_id], "attributes.run_name = 'deleted'"
        )
        store.client.delete_run(gone.info.run_id)
        assert [record.name for record, _ in store.sink.records(parent, light=True)] == ["kept"]

    def test_a_run_that_does_not_exist(self, store: Store):
        with pytest.raises(TrackingError, match="id=nosuchrun not found"):
            list(store.sink.records("nosuchrun"))

    def test_a_database_that_does_not_exist_is_not_made(self, tmp_path: Path):
        with pytest.raises(TrackingError, match="There is no MLflow database"):
            list(Mlflow(f"sqlite:///{tmp_path}/mlflow.db").records("run"))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy"
)  # mlflow's, with the newest sqlalchemy
def test_more_options_than_mlflow_takes_at_once(store: Store, tmp_path: Path):
    options = {f"option_{i}": i for i in range(250)}
    many = replace(store.records["failed"], name="many", config=options)
    store.sink.write(many, tmp_path, None)
    experiment = store.client.get_experiment_by_name("speech")
    (found,) = store.client.search_runs([experiment.experiment_id], "attributes.run_name = 'many'")
    assert found.data.params == {key: str(value) for key, value in options.items()}


def test_params_are_the_options_flattened_without_the_sizes_of_the_model(store: Store):
    assert store.runs["ok"].data.params == {
        "model.name": "toy",
        "batch.size": "2",
        "dataset.length_s": "None",
    }


def test_tags(store: Store):
    facts, tags = environment(), store.runs["ok"].data.tags
    expected = {
        "model": "toy",
        "engine": "fake",
        "device": "cpu",
        "weights": "fake",
        "weights.source": "engine=fake",
        "batch": "2",
        "dataset": "fake",
        "dataset.synthetic": "True",
        "host": facts["host"],
        "quality/normaliser": "none",
        "ops/clock": "cpu",
    }
    assert expected.items() <= tags.items()
    assert tags["cautions"].split(", ") == [
        caution.kind for caution in store.records["ok"].cautions
    ]
    assert tags["cautions"].startswith("SyntheticSpeech, SystemNote")
    assert tags.get("mlflow.source.git.commit") == facts["commit"]


def test_what_is_unavailable_says_why(store: Store):
    said = store.runs["ok"].data.tags["unavailable"]
    assert "latency/p90_s: 6 calls can't bound it, 44 can" in said
    assert "unavailable" not in store.runs["failed"].data.tags
    record = replace(store.records["ok"], unavailable={"energy/total_j": "no counter"})
    assert tags(record, None)["unavailable"] == "energy/total_j: no counter"
    assert "mlflow.parentRunId" not in tags(record, None)


def test_the_dataset_is_an_input(store: Store):
    (found,) = store.runs["ok"].inputs.dataset_inputs
    assert found.dataset.name == "fake"
    assert found.dataset.digest == "d" * 36
    assert found.dataset.source == "made here"
    assert json.loads(found.dataset.profile) == {"utterances": 2, "audio_s": 3.0}
    assert store.runs["failed"].inputs.dataset_inputs == []


def test_artifacts(store: Store, tmp_path: Path):
    assert store.artifacts("ok") == {"record.json", "hypotheses.json", "extra.csv"}
    assert store.artifacts("failed") == {"record.json"}
    text = store.text(store.runs["ok"].info.run_id, "record.json", tmp_path)
    assert RunRecord.from_json(json.loads(text)).values == store.records["ok"].values


def test_hypotheses_are_a_table(store: Store, tmp_path: Path):
    table = json.loads(store.text(store.runs["ok"].info.run_id, "hypotheses.json", tmp_path))
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["id"], row["reference"], row["hypothesis"]) for row in rows] == [
        ("u0", "text 0", "text 0"),
        ("u1", "text 1", "text 1"),
    ]


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # MLflow's search_traces
def test_stages_are_a_trace_of_the_run(store: Store):
    experiment = store.client.get_experiment_by_name("speech").experiment_id
    traces = store.client.search_traces(locations=[experiment], filter_string="")
    known = {run.info.run_id for run in store.runs.values()}
    by_run = {trace.info.request_metadata["mlflow.sourceRun"]: trace for trace in traces}
    by_run = {
        run_id: trace for run_id, trace in by_run.items() if run_id in known
    }  # other tests log, too
    assert set(by_run) == {store.runs[name].info.run_id for name in ("ok", "interrupted")}
    trace, record = by_run[store.runs["ok"].info.run_id], store.records["ok"]
    sample = record.samples[0]
    root, *spans = sorted(trace.data.spans, key=lambda span: span.parent_id is not None)
    assert root.name == "transcribe ok"
    assert {span.parent_id for span in spans} == {root.span_id}
    seconds = {span.name: (span.end_time_ns - span.start_time_ns) / 1e9 for span in spans}
    assert seconds == pytest.approx(dict(sample.stages), abs=1e-8)
    assert (root.end_time_ns - root.start_time_ns) / 1e9 == pytest.approx(sample.total_s, abs=1e-8)
    ends = sorted((span.start_time_ns, span.end_time_ns) for span in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))


def test_a_new_sweep_goes_into_the_same_experiment(store: Store):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        parent = store.sink.open("sweep 2", {})
        store.sink.close(parent, "KILLED")
    entry = store.client.get_run(parent)
    assert entry.info.experiment_id == store.sweep.info.experiment_id
    assert entry.info.status == "KILLED"


class TestProcesses:
    """What intervals are of, and figures at the machine's usual state."""

    def test_one_process_says_so(self, store: Store) -> None:
        assert store.runs["ok"].data.tags["interval/of"] == "this process"
        assert "usual/latency/p50_s: no beats of" in store.runs["ok"].data.tags["unavailable"]

    def test_several_say_so_and_their_usual_figures_have_intervals(
        self, store: Store, tmp_path: Path
    ) -> None:
        of, one = (
            "3 processes; with this machine's spread between processes of",
            store.records["ok"],
        )
        parts = [
            replace(one, config={**one.config, "sweep": {"processes": 3, "round": k}})
            for k in range(3)
        ]
        whole = merge(parts)
        usual = Metric("usual/latency/p50_s", 0.1 + 0.2, 18, Interval(0.29, 0.31))
        share = Metric("usual/explained_share", 0.4, 18)
        record = replace(whole, metrics=(*whole.metrics, usual, share))
        parent = store.sink.open("sweep of processes", CONFIG)
        for part in parts:
            store.sink.write(part, tmp_path, parent)  # no run: the whole point has one
        record.write(tmp_path)
        store.sink.write(record, tmp_path, parent)
        (found,) = store.below(parent)
        assert found.data.tags["interval/of"].startswith(of)
        kept = {name: v for name, v in found.data.metrics.items() if name.startswith("usual/")}
        assert kept == {
            "usual/latency/p50_s": 0.1 + 0.2,
            "usual/latency/p50_s.low": 0.29,
            "usual/latency/p50_s.high": 0.31,
            "usual/explained_share": 0.4,
        }
        ((back, _),) = store.sink.records(parent)
        assert back.tags["interval/of"] == record.tags["interval/of"]
        assert back.intervals["usual/latency/p50_s"] == Interval(0.29, 0.31)


class TestNewDatabase:
    def test_it_appears_whole(self, tmp_path: Path):
        file, seen = tmp_path / "new" / "mlflow.db", list[bool]()

        def fill(uri: str) -> None:
            Path(uri.removeprefix("sqlite:///")).write_text("tables")
            seen.append(file.exists())

        make_whole(file, fill)
        assert (seen, file.read_text(), list(file.parent.iterdir())) == ([False], "tables", [file])

    def test_of_two_processes_the_first_wins(self, tmp_path: Path):
        file = tmp_path / "mlflow.db"

        def fill(uri: str) -> None:
            Path(uri.removeprefix("sqlite:///")).write_text("second")
            file.write_text("first")

        make_whole(file, fill)
        assert (file.read_text(), list(tmp_path.iterdir())) == ("first", [file])

    def test_one_that_could_not_be_filled_is_not_there(self, tmp_path: Path):
        def fill(uri: str) -> None:
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            make_whole(tmp_path / "mlflow.db", fill)
        assert not list(tmp_path.iterdir())


class TestGoingOn:
    """What sweep.resume needs of a store."""

    def test_the_parent_goes_on(self, store: Store):
        parent = store.sink.open("sweep 3", {})
        assert store.sink.open("another name", {}, parent) == parent
        assert store.client.get_run(parent).info.status == "RUNNING"

    def test_a_parent_that_is_gone_is_begun_anew(self, store: Store):
        parent = store.sink.open("sweep 4", {}, "0123456789abcdef0123456789abcdef")
        assert store.client.get_run(parent).info.run_name == "sweep 4"

    def test_a_record_is_stored_once(self, store: Store, tmp_path: Path):
        parent = store.sink.open("sweep 5", {})
        record = run(
            make_job(FakeClock(), name="once", folder=tmp_path, tracking=store.sink), parent=parent
        )
        (first,) = store.below(parent)
        store.sink.write(record, tmp_path, parent)
        assert [entry.info.run_id for entry in store.below(parent)] == [first.info.run_id]

    def test_what_was_cut_gives_way_to_the_whole_record(self, store: Store, tmp_path: Path):
        parent = store.sink.open("sweep 6", {})
        record = run(
            make_job(FakeClock(), name="cut", folder=tmp_path, tracking=store.sink), parent=parent
        )
        (first,) = store.below(parent)
        store.client.update_run(first.info.run_id, status="RUNNING")
        store.sink.write(replace(record, ended_at=record.ended_at + 1), tmp_path, parent)
        (second,) = store.below(parent)
        assert second.info.run_id != first.info.run_id
        assert second.info.status == "FINISHED"

    def test_a_sweep_that_is_new_asks_for_no_point(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        parent = store.sink.open("sweep 7", {})
        monkeypatch.setattr("asr_scaling.tracking._mlflow_run.search", None)
        run(make_job(FakeClock(), name="new", folder=tmp_path, tracking=store.sink), parent=parent)
        assert len(store.below(parent)) == 1

    def test_an_attempt_that_failed_halfway_leaves_nothing(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        parent = store.sink.open("sweep 8", {})
        with monkeypatch.context() as patch:
            patch.setattr("asr_scaling.tracking._mlflow_run.log_stages", None)
            record = run(
                make_job(FakeClock(), name="half", folder=tmp_path, tracking=store.sink),
                parent=parent,
            )
        (half,) = store.below(parent)
        assert half.info.status == "RUNNING"
        store.sink.write(record, tmp_path, parent)
        (whole,) = store.below(parent)
        assert whole.info.run_id != half.info.run_id
        assert whole.info.status == "FINISHED"


def test_hint(store: Store):
    assert store.sink.uri in store.sink.hint
    assert "experiment e" in Mlflow("http://host:5000", "e").hint


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestUnreachable:
    def refused(self, sink: Mlflow) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own
            with pytest.raises(TrackingError) as caught:
                sink.open("sweep", {})
        message = str(caught.value)
        assert "\n" not in message
        assert "secret" not in message
        return message

    def test_server(self, closed_port: int):
        message = self.refused(Mlflow(f"http://127.0.0.1:{closed_port}"))
        assert f"http://127.0.0.1:{closed_port}" in message
        assert "tracking=jsonl" in message

    @pytest.mark.parametrize("uri", ["http://", "http://["])
    def test_address(self, uri: str):
        assert "does not answer" in self.refused(Mlflow(uri))

    @pytest.mark.parametrize("uri", ["https://no such host", "http://localhost:port"])
    def test_address_that_http_refuses(self, uri: str):
        assert "does not answer" in self.refused(Mlflow(uri))

    def test_database(self, tmp_path: Path):
        (tmp_path / "mlflow.db").write_bytes(b"secret, and no database" * 100)
        message = self.refused(Mlflow(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path)))
        assert "can't be used" in message

    def test_write_and_close_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def broken(uri: str) -> Any:
            raise RuntimeError("first line\nsecond line")

        monkeypatch.setattr("asr_scaling.tracking.mlflow.client", broken)
        sink = Mlflow("postgresql://user@host/runs")
        for action in (
            lambda: sink.write(RunRecord("a", "ok", {}, {}), tmp_path, None),
            lambda: sink.close("token", "FINISHED"),
        ):
            with pytest.raises(TrackingError, match=r"first line$"):
                action()
