"""Nothing that was measured is lost or put where nobody looks for it."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records
from support.offline import FAST

from asr_scaling.cli.sweep import bound_shorthand, home_shorthand
from asr_scaling.core.record import RECORD_FILE
from asr_scaling.util.config_dir import conf_dir


@pytest.fixture
def slash(tmp_path: Path) -> str:
    """The option of a folder with a model that is named as on the hub."""
    (tmp_path / "my/model").mkdir(parents=True)
    text = (conf_dir() / "model/whisper_tiny_en.yaml").read_text(encoding="utf-8")
    text = text.replace("name: whisper_tiny_en", "name: openai/whisper-tiny.en")
    (tmp_path / "my/model/hub.yaml").write_text(text, encoding="utf-8")
    return "--config-dir=my"


def stored(folder: Path) -> list[str]:
    """Places of the points that MLflow has."""
    query = (
        "SELECT place.value FROM runs JOIN tags AS place USING (run_uuid)"
        " JOIN tags AS kind USING (run_uuid) WHERE lifecycle_stage = 'active'"
        " AND place.key = 'asr_scaling.place' AND kind.value = 'point'"
    )
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return sorted(value for (value,) in database.execute(query))


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_name_with_a_slash(cli: Cli, tmp_path: Path, slash: str, launcher: str) -> None:
    sweep = ("-m", slash, *FAST, "model=hub", "batch=1,2", f"hydra/launcher={launcher}")
    done = cli(*sweep)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path / "multirun")) == 2
    places = ["0_openai_whisper-tiny.en_cpu_b1", "1_openai_whisper-tiny.en_cpu_b2"]
    assert stored(tmp_path) == places


def test_folders_below_folders_that_end_alike(cli: Cli, tmp_path: Path) -> None:
    sweep = ("-m", *FAST, "batch=1,2", "hydra.sweep.subdir='b${batch.size}/it\\'s'")
    done = cli(*sweep, "hydra/launcher=joblib")
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path) == ["b1/it%27s", "b2/it%27s"]
    again = cli(*sweep, "hydra/launcher=joblib", "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert stored(tmp_path) == ["b1/it%27s", "b2/it%27s"]


def test_points_that_would_overwrite_each_other_are_not_measured(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *QUICK, "batch=1,2", "hydra.sweep.subdir='${model.name}'")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Two points would have one folder, 'whisper_")
    assert not list(tmp_path.rglob(RECORD_FILE))
    assert not (tmp_path / "multirun").exists()


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_a_folder_named_twice_by_hand(cli: Cli, tmp_path: Path, kind: str) -> None:
    many = ("-m",) if kind == "sweep" else ()
    assert cli(*many, *QUICK, "batch=1", f"hydra.{kind}.dir=out").returncode == 0
    (before,) = (path.read_bytes() for path in tmp_path.rglob(RECORD_FILE))
    done = cli(*many, *QUICK, "batch=2", f"hydra.{kind}.dir=out")
    assert done.returncode == 1
    assert done.stderr.startswith("error: out has what was measured before")
    assert [path.read_bytes() for path in tmp_path.rglob(RECORD_FILE)] == [before]


def test_a_home_folder_with_and_without_quotes(cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home of ann"
    home.mkdir()
    options = ("tracking.path=~/a.jsonl", "hydra.run.dir='~/run'")
    done = cli(*QUICK, *options, HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in home.iterdir() if path.name[0] != ".") == ["a.jsonl", "run"]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("argument", "read"),
    [
        ("tracking.path=~/r.jsonl", "tracking.path='/home/ann/r.jsonl'"),
        ("dataset.path=[~/a,~/b c]", "dataset.path=['/home/ann/a','/home/ann/b c']"),
        ("tracking.uri=sqlite:///~/x.db", "tracking.uri='sqlite:////home/ann/x.db'"),
        ("model.path=~/a,~/b", "model.path='/home/ann/a','/home/ann/b'"),
        ("hydra.run.dir=~/${now:%Y}/x", "hydra.run.dir='/home/ann/${now:%Y}/x'"),
        ("x='~/a'", "x='~/a'"),  # written out once it is composed
        ("~tracking", "~tracking"),
        ("x=a~b", "x=a~b"),
    ],
)
def test_arguments(argument: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert home_shorthand(argument) == read


@pytest.mark.parametrize(
    ("argument", "read"),
    [
        ("scenario.bound=p99<2s", "scenario.bound='p99<2s'"),
        ("scenario.bound=p99<=2s,errors=0", "scenario.bound='p99<=2s,errors=0'"),
        ("scenario.bound='p99<2s'", "scenario.bound='p99<2s'"),
        ("scenario.bound=errors=0", "scenario.bound=errors=0"),
        ("batch=8", "batch=8"),
        ("--help", "--help"),
    ],
)
def test_a_bound_is_one_text(argument: str, read: str):
    assert bound_shorthand(argument) == read


@pytest.fixture
def file(cli: Cli, tmp_path: Path) -> Path:
    """A file of two records, between them half a line."""
    path = tmp_path / "records.jsonl"
    speech = ("profiler=[latency,quality]", "pipeline.max_seconds=0.1")
    cli(*QUICK, *speech, "batch=1")
    path.write_bytes(path.read_bytes() + path.read_bytes()[:4000])
    done = cli(*QUICK, *speech, "batch=2")
    assert done.returncode == 0, done.stderr
    return path


def test_verbs_read_what_can_be_read_and_name_the_rest(cli: Cli, file: Path) -> None:
    done = cli("compare", file.name, file.name, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("left out: records.jsonl, at byte ") == 2
    gated = cli("compare", file.name, file.name, "--fail-if", "latency/p50_s>5000%")
    assert gated.returncode == 2
    assert "What can't be read of A may be a point that no gate has judged." in gated.stderr
    chosen = cli("recommend", file.name)
    assert "left out: records.jsonl, at byte " in chosen.stderr
    report = cli("report", file.name, "--no-mlflow", "-o", "rep")
    assert report.returncode == 0, report.stderr
    assert len((file.parent / "rep/metrics.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("verb", ["recommend", "report", "selftest"])
def test_a_verb_that_may_not_write(cli: Cli, file: Path, verb: str) -> None:
    (file.parent / "taken.yaml").mkdir()
    option = "--json" if verb == "selftest" else "-o"
    target = "taken.yaml" if verb == "recommend" else "/proc/none/x"
    done: subprocess.CompletedProcess[str] = cli(
        verb, *([file.name] if verb != "selftest" else []), option, target
    )
    assert done.returncode == (2 if verb == "recommend" else 1)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert f"{target} can't be written (" in last
    assert f"with {option}." in last
