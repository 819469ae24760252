"""``python -m asr_scaling report``: what it reads, writes, prints and exits with,
and what it never imports."""

from __future__ import annotations

import csv
import functools
import importlib
import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.studies import BASE, TINY, WAV2VEC2, record, study

from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.cli import report as command
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import ConfigError
from asr_scaling.records.record_sources import log_report
from asr_scaling.report.build import all_points, first_words, write
from asr_scaling.report.document import Bullets, Document, Section, Text
from asr_scaling.report.output.csv_file import write_csv
from asr_scaling.tracking.mlflow import Mlflow

SINK = "asr_scaling.tracking.mlflow.Mlflow"
FILES = ["report.html", "report.md", "metrics.csv"]


def sweep(folder: Path, records: list[RunRecord]) -> Path:
    for i, one in enumerate(records):
        one.write(folder / f"{i}_point")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep with its report; one point failed."""
    folder = tmp_path_factory.mktemp("sweep")
    records = study((TINY, BASE, WAV2VEC2), (5.0, 30.0, 60.0), (1, 4))
    records[3] = replace(
        record(TINY, 30.0, 4),
        status="out_of_memory",
        reason="It did not fit.",
        samples=(),
        metrics=(),
    )
    sweep(folder, records)
    assert command.main([str(folder), "--no-mlflow"]) == 0
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_its_files(made: Path) -> None:
    report = made / "report"
    assert {path.name for path in report.iterdir()} == {*FILES, "figures"}
    html, markdown = ((report / name).read_text(encoding="utf-8") for name in FILES[:2])
    names = {path.stem for path in (report / "figures").iterdir()}
    assert names
    for name in names:
        assert (report / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        ET.fromstring((report / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        assert f"(figures/{name}.svg)" in markdown
        assert f'id="figure-{name}"' in html
    sections = ["answer", "tables", "scaling", "bottlenecks", "pareto", "method", "points"]
    places = [html.index(f'<section id="{name}">') for name in sections]
    assert places == sorted(places)
    assert "How speech recognition scales on Test CPU, 2 cores" in html
    assert "18 points, 1 of them not measured to the end" in html


def test_the_csv_has_every_metric_of_every_point(made: Path) -> None:
    found = rows(made / "report")
    assert len(found) == 18
    assert [row["system"] for row in found[::6]] == ["whisper_tiny_en", "whisper_base", "wav2vec2"]
    first = record(TINY, 5.0, 1)
    for name, value in first.values.items():
        assert float(found[0][name]) == value
    for name, interval in first.intervals.items():
        assert Interval(float(found[0][f"{name}.low"]), float(found[0][f"{name}.high"])) == interval
    assert "memory/weights_bytes.low" not in found[0]
    failed = found[3]
    assert (failed["status"], failed["reason"], failed["latency/p50_s"]) == (
        "out_of_memory",
        "It did not fit.",
        "",
    )
    assert found[-1]["quality/wer"] == ""
    assert found[0]["started_at"] == "2026-11-18T11:06:40+00:00"


def test_a_moment_that_was_not_recorded_is_empty(tmp_path: Path) -> None:
    unbuilt = replace(record(TINY, 5.0, 1), status="failed", started_at=0.0, ended_at=0.0)
    write_csv([to_point(unbuilt)], tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["started_at"], row["ended_at"]) == ("", "")


def test_the_table_of_all_points() -> None:
    records = [
        *study((TINY,), (5.0, None), (1,)),
        replace(record(WAV2VEC2, 5.0, 4), status="failed", reason="why"),
    ]
    (table,) = all_points(named(map(to_point, records))).blocks
    heads = [column.heading for column in table.columns]
    cells = [dict(zip(heads, row.cells, strict=True)) for row in table.rows]
    call = TINY.call(5.0, 1)
    assert cells[0]["p50"].sort == pytest.approx(1000 * call)
    assert cells[0]["RTFx"].sort == pytest.approx(5 / call)
    assert cells[0]["WER"].sort == pytest.approx(100 * record(TINY, 5.0, 1).values["quality/wer"])
    assert cells[0]["Energy"].text.startswith(f"{20 * call:.2f}"[:3])
    assert [row["Length"].text for row in cells] == ["5", "natural", "5"]
    assert [row["Length"].sort for row in cells] == [5.0, None, 5.0]
    assert [row["Status"].text for row in cells] == ["ok", "ok", "failed"]
    assert cells[2]["Status"].note == "why"
    assert cells[2]["WER"].text == "–"
    assert [row.keys["length"] for row in table.rows] == ["5 s", "natural", "5 s"]
    assert any("wav2vec2" in note and "andom" in note for note in table.notes)


@pytest.mark.parametrize(
    ("blocks", "said"),
    [((Text("Use **a**."), Text("b")), "Use a."), ((Bullets(("`x`", "y")),), "x"), ((), "")],
)
def test_what_is_said_first(blocks: tuple[Text | Bullets, ...], said: str) -> None:
    assert first_words(Document("t", "s", (Section("answer", "Answer", blocks),))) == said


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="name another folder with -o"):
        write(Document("t", "s", ()), [], tmp_path / "file" / "report")


class TestCommandLine:
    def test_it_says_what_it_made_and_what_the_answer_is(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = sweep(tmp_path / "sweep", study((TINY, BASE), (5.0,), (1,)))
        assert (
            command.main(
                [str(folder), "-o", str(tmp_path / "out"), "--memory", "0.5GiB", "--max-wer", "9.5"]
            )
            == 0
        )
        said = capsys.readouterr()
        lines = said.out.splitlines()
        assert "whisper_" in lines[0]
        assert [str(tmp_path / "out" / name) for name in FILES] == lines[2:5]
        assert lines[-1] == f"not logged to MLflow: {folder} has no sweep.json that names its run."
        assert said.err == ""
        text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
        assert "537 MB" in text
        assert "9.5" in text

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "the following arguments are required: SOURCE"),
            (("nowhere",), "There is no file or folder 'nowhere' here"),
            (
                ("sweep", "--memory", "2 parsecs"),
                "must be a size as 500MB, 2GB or 2GiB, got '2 parsecs'",
            ),
            (("sweep", "--memory=-1GB"), "must be a size"),
            (("sweep", "--memory", "GB"), "must be a size"),
            (("sweep", "--min-rtfx", "0"), "must be a positive number, got '0'"),
            (("sweep", "--max-wer", "nan"), "must be a positive number, got 'nan'"),
            (("mlflow:abc",), "There is no MLflow database"),
        ],
    )
    def test_bad_input_is_one_sentence(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: tuple[str, ...],
        said: str,
    ) -> None:
        sweep(tmp_path / "sweep", [record(TINY, 5.0, 1)])
        monkeypatch.chdir(tmp_path)
        assert command.main(arguments) == 1
        found = capsys.readouterr()
        assert said in found.err
        assert found.err.startswith("error: ")
        assert len(found.err.splitlines()) == 1
        assert found.out == ""
        assert {path.name for path in tmp_path.iterdir()} == {"sweep"}

    def test_help_loads_nothing_heavy(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "asr_scaling", "report", "--help"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "--latency-p95" in done.stdout
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "argparse" in imported
        assert not imported & {
            "torch",
            "transformers",
            "hydra",
            "mlflow",
            "matplotlib",
            "scipy",
            "jinja2",
            "pandas",
        }

    def test_there_is_a_console_script(self) -> None:
        project = tomllib.loads(
            (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
        )["project"]
        module, _, name = project["scripts"]["asr-scaling-report"].partition(":")
        assert getattr(importlib.import_module(module), name) is command.main


def test_hundreds_of_repeated_points_and_neither_torch_nor_hydra(tmp_path: Path) -> None:
    """In a process of its own, and from lines: where it was started is where the report is."""
    with (tmp_path / "records.jsonl").open("w", encoding="utf-8") as file:
        for seed in range(4):
            for one in study(batches=(1, 2, 4, 8, 16), calls=4, noise=0.05, seed=seed):
                file.write(json.dumps(one.to_json()) + "\n")
    code = (
        "import sys; from asr_scaling.cli.report import main; status = main(['records.jsonl']);"
        "print([n for n in ('torch', 'transformers', 'hydra', 'omegaconf', "
        "'mlflow') if n in sys.modules], status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[] 0", done.stderr
    assert "not logged to MLflow: records.jsonl has no sweep.json" in done.stdout
    assert len(rows(tmp_path / "report")) == 240
    assert "240 points" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")  # MLflow's own use of SQLAlchemy and pandas
class TestStoring:
    @pytest.fixture
    def report(self, tmp_path: Path) -> Path:
        for name in ("report.html", "figures/a.png"):
            (tmp_path / "report" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "report" / name).write_text(name)
        return tmp_path / "report"

    def say(self, folder: Path, parent: str | None, target: str, **options: str) -> str:
        folder.mkdir(exist_ok=True)
        tracking = {"_target_": target, **options}
        (folder / "sweep.json").write_text(
            json.dumps({"command": [], "points": [], "parent": parent, "tracking": tracking})
        )
        return str(folder)

    @pytest.mark.usefixtures("mlflow_database")
    def test_the_run_that_the_sweep_or_the_user_names(
        self, tmp_path: Path, report: Path, request: pytest.FixtureRequest
    ) -> None:
        import mlflow

        request.addfinalizer(functools.partial(mlflow.set_tracking_uri, mlflow.get_tracking_uri()))
        sink = Mlflow(f"sqlite:///{tmp_path}/mlflow.db", "speech", str(tmp_path / "artifacts"))
        client = mlflow.MlflowClient(sink.uri)
        runs = [sink.open(f"sweep {i}", {}) for i in range(3)]
        options = {"uri": sink.uri, "experiment": sink.experiment, "artifacts": sink.artifacts}
        ways = (
            (self.say(tmp_path / "own", runs[0], SINK, **options), None),
            (self.say(tmp_path / "moved", runs[1], SINK, uri="sqlite:///gone.db"), sink.uri),
            (f"mlflow:{runs[2]}", sink.uri),
        )
        for run, (source, uri) in zip(runs, ways, strict=True):
            assert (
                log_report(report, [source], uri)
                == f"Logged to MLflow: run {run}, artifacts below report/."
            )
            assert [found.path for found in client.list_artifacts(run, "report")] == [
                "report/figures", "report/report.html"
            ]  # fmt: skip
        assert log_report(report, ["mlflow:speech"], sink.uri).startswith(
            "not logged to MLflow: 'speech' is an experiment"
        )

    def test_what_names_no_run(self, tmp_path: Path, report: Path) -> None:
        elsewhere = self.say(
            tmp_path / "lines", "sweep", "asr_scaling.tracking.jsonl.Jsonl", path="records.jsonl"
        )
        cut = self.say(tmp_path / "cut", None, SINK)
        for sources, said in (
            ([str(tmp_path)], f"{tmp_path} has no sweep.json that names its run."),
            (["records.jsonl"], "records.jsonl has no sweep.json that names its run."),
            ([elsewhere], "the sweep was not tracked there."),
            ([cut], "the sweep was not tracked there."),
            ([elsewhere, cut], "the report is about several sources."),
        ):
            assert log_report(report, sources, None) == f"not logged to MLflow: {said}"

    def test_a_store_that_fails_is_an_error_after_the_files_are_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = sweep(tmp_path / "sweep", [record(TINY, 5.0, 1)])
        self.say(folder, "run", SINK, uri=f"sqlite:///{tmp_path}/gone.db")
        assert command.main([str(folder)]) == 1
        said = capsys.readouterr()
        assert said.err.startswith("error: There is no MLflow database")
        assert str(folder / "report" / "report.html") in said.out
        assert (folder / "report" / "report.html").exists()
        assert not (tmp_path / "gone.db").exists()
