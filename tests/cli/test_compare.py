"""``python -m asr_scaling compare`` on real sweeps of the fake engine:
what it reads, prints and exits with."""

from __future__ import annotations

import functools
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.warm import run_warm

from asr_scaling.cli import compare as command
from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.record import RunRecord
from asr_scaling.tracking.mlflow import Mlflow

Compare = Callable[..., subprocess.CompletedProcess[str]]
SWEEP = (
    "-m",
    "engine=fake",
    "model=whisper_tiny_en,wav2vec2",
    "batch=1,4",
    "pipeline.utterances=8",
    "pipeline.warmup=0",
    "pipeline.precision=null",
    "pipeline.min_iterations=24",
    "profiler=[latency,quality]",
    "tracking=jsonl",
    "sweep.selftest=false",
)
NAME = "whisper_tiny_en fake cpu"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {"ASR_SCALING_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}
    return run_warm(folder, "asr_scaling", arguments, {**os.environ, **own})


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sweeps "fast" and "slow", whose calls sleep 10 and 40 ms;
    "broken" is "fast", but batches of 4 did not fit."""
    folder = tmp_path_factory.mktemp("measured")
    for name, fixed_s in (("fast", "0.010"), ("slow", "0.040")):
        options = (
            f"engine.fixed_s={fixed_s}",
            f"tracking.path={name}.jsonl",
            f"hydra.sweep.dir={name}",
        )
        done = run(folder, *SWEEP, *options)
        assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "fast", folder / "broken")
    for path in (folder / "broken").glob("*_b4/record.json"):
        broken = replace(
            RunRecord.read(path),
            status="out_of_memory",
            reason="A batch of 4 does not fit.",
            samples=(),
        )
        broken.write(path.parent)
    return folder


@pytest.fixture
def compare(measured: Path) -> Compare:
    return lambda *arguments: run(measured, "compare", *arguments)


def point(sweep: str, number: int) -> str:
    (found,) = sorted(Path(sweep).glob(f"{number}_*"))
    return str(found)


def test_help_is_there_at_once_and_loads_nothing(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "asr_scaling", "compare", "--help"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5
    )  # wall time on a free core
    assert "--fail-if" in done.stdout
    assert "paired change" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"torch", "hydra", "mlflow", "scipy", "rich", "pandas", "transformers"}


def test_two_sweeps_by_name(compare: Compare) -> None:
    done = compare("fast", "slow")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith(("whisper", "wav2vec2"))]
    assert (
        sum(
            "slower" in line
            for line in done.stdout.splitlines()
            if line.startswith("latency/p50_s")
        )
        == 4
    )
    assert "they need not equal the ratio of the two values" in " ".join(done.stdout.split())
    assert "quality/wer (%, synthetic speech)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_lines_of_json_are_the_same_sweep(compare: Compare) -> None:
    folders, lines = (
        compare("fast", "slow", "--json"),
        compare("fast.jsonl", "slow.jsonl", "--json"),
    )
    assert json.loads(folders.stdout)["comparisons"] == json.loads(lines.stdout)["comparisons"]


def test_as_json(compare: Compare) -> None:
    plain = json.loads(compare("fast", "slow", "--json", "--fail-if", "latency/p50_s>5%").stdout)
    assert [found["a"] for found in plain["comparisons"]][:2] == [f"{NAME} b1", f"{NAME} b4"]
    rows = {row["metric"]: row for row in plain["comparisons"][0]["rows"]}
    assert rows["latency/p50_s"]["verdict"] == "slower"
    assert 1.5 < rows["latency/p50_s"]["relative"] < 3.1
    assert rows["latency/p50_s"]["interval"]["low"] > 0
    assert rows["throughput/rtfx"]["verdict"] == "slower"
    assert rows["quality/wer"]["absolute"] == 0
    assert [gate["failed"] for gate in plain["gates"]] == [True] * 4
    assert plain["exit_status"] == 1


def test_two_points_whatever_they_are_called(compare: Compare, measured: Path) -> None:
    record = f"{point(str(measured / 'slow'), 2)}/record.json"
    done = compare(point(str(measured / "fast"), 0), record)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"A {NAME} b1 · B wav2vec2 fake cpu b1")


@pytest.mark.parametrize(
    ("a", "b", "gates", "status"),
    [
        ("fast", "slow", ["latency/p50_s>5%"], 1),
        ("slow", "fast", ["latency/p50_s>5%", "throughput/rtfx<-5%"], 0),
        ("fast", "slow", ["latency/p50_s>500%", "throughput/rtfx<-5%"], 1),
        ("fast", "slow", ["latency/p50_s>0.002", "quality/wer>0.005"], 1),
        ("fast", "slow", ["latency/p50_s>0.2", "quality/wer>0.15"], 0),
        ("fast", "fast", ["latency/p50_s>60%", "quality/wer>0.15"], 0),
        ("fast", "fast", ["latency/p50_s>5%", "quality/wer>0"], 2),  # of one process each
        ("fast", "slow", ["memory/peak_rss_bytes>10%"], 2),
        ("fast", "slow", ["latency/p50_s>5%", "latency/p99_s>5%"], 1),
        ("fast", "slow", ["latency/p50_s>=5%"], 2),
        ("fast", "slow", ["latency/typo_ms>5%"], 2),
    ],
)
def test_gates(compare: Compare, a: str, b: str, gates: list[str], status: int) -> None:
    done = compare(a, b, *(argument for gate in gates for argument in ("--fail-if", gate)))
    assert done.returncode == status, done.stdout + done.stderr
    assert ("FAILED" in done.stdout) == (status == 1)
    assert (status != 2) or done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_points_that_failed_are_said_and_stop_a_gate(compare: Compare) -> None:
    done = compare("fast", "broken")
    assert done.returncode == 0, done.stderr
    assert f"'{NAME} b4' can't be compared: B out of memory" in " ".join(done.stdout.split())
    gated = compare("fast", "broken", "--fail-if", "latency/p50_s>500%")
    assert gated.returncode == 2
    assert f"error: '{NAME} b4' can't be compared: B out of memory" in gated.stderr


def test_a_sweep_of_failures_only(compare: Compare, measured: Path) -> None:
    broken = point(str(measured / "broken"), 1)
    done = compare(broken, broken)
    assert done.returncode == 2
    assert "can't be compared: A out of memory" in done.stderr


def test_points_without_partner_are_listed(compare: Compare, measured: Path) -> None:
    (measured / "half").mkdir(exist_ok=True)
    for number in (0, 1):
        shutil.copytree(
            point(str(measured / "slow"), number),
            measured / "half" / str(number),
            dirs_exist_ok=True,
        )
    done = compare("fast", "half")
    assert done.returncode == 0, done.stderr
    assert "Only in A: wav2vec2 fake cpu b1, wav2vec2 fake cpu b4" in done.stdout
    assert "Only in B" not in done.stdout
    gate = ("--fail-if", "latency/p50_s>900%")
    missing = compare("fast", "half", *gate)
    assert missing.returncode == 2
    assert "'wav2vec2 fake cpu b1' is missing in B" in missing.stderr
    assert (
        compare("half", "fast", *gate).returncode == 0
    )  # a new point has nothing to be worse than


def test_what_differs_is_refused_and_said_when_allowed(compare: Compare, measured: Path) -> None:
    folder = measured / "elsewhere"
    shutil.copytree(point(str(measured / "fast"), 0), folder, dirs_exist_ok=True)
    plain = verified(json.loads((folder / "record.json").read_text()))
    plain["environment"]["host"], plain["scope"] = "elsewhere", "from a file"
    (folder / "record.json").write_text(json.dumps(signed(plain)))
    here = point(str(measured / "fast"), 0)
    refused = compare(here, "elsewhere", "--allow", "host")
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        f"error: '{NAME} b1' and '{NAME} b1' differ in scope (what a latency covers): "
    )
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stdout == ""
    allowed = compare(here, "elsewhere", "--allow", "host,scope")
    assert allowed.returncode == 0, allowed.stderr
    assert "The host differs: name " in allowed.stdout
    assert "The scope differs: what a latency covers." in allowed.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fast",), "the following arguments are required: B"),
        (
            ("fast", "slow", "--allow", "hosts"),
            "--allow hosts is not known: choose of host, machine, dataset",
        ),
        (("fast", "nowhere"), "There is no file or folder 'nowhere' here"),
        (("fast", "./nowhere"), "nowhere can't be read"),
        (("fast", "cache"), "cache holds no record.json"),
        (
            ("fast", "fast/0_whisper_tiny_en_cpu_b1/record.json", "--json", "x"),
            "unrecognized arguments: x",
        ),
        (("twice", "slow"), f"A has 2 points named '{NAME} b1': name one sweep, or one record."),
        (("fast", "mlflow:abc"), "There is no MLflow database 'mlflow.db'"),
    ],
)
def test_bad_input_is_one_sentence(
    compare: Compare, measured: Path, arguments: tuple[str, ...], said: str
) -> None:
    (measured / "cache").mkdir(exist_ok=True)
    for copy in ("one", "other"):
        shutil.copytree(measured / "fast", measured / "twice" / copy, dirs_exist_ok=True)
    done = compare(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_there_is_a_console_script() -> None:
    project = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    module, _, name = project["scripts"]["asr-scaling-compare"].partition(":")
    assert getattr(importlib.import_module(module), name) is command.main


@pytest.mark.usefixtures("mlflow_database")
@pytest.mark.filterwarnings("ignore")  # MLflow's own use of SQLAlchemy and pandas
def test_runs_in_mlflow(measured: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    import mlflow

    request.addfinalizer(functools.partial(mlflow.set_tracking_uri, mlflow.get_tracking_uri()))
    sink = Mlflow(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "artifacts"))
    sweeps = {name: sink.open(name, {}) for name in ("fast", "slow")}
    for name, parent in sweeps.items():
        for number in (0, 1):
            folder = Path(point(str(measured / name), number))
            sink.write(RunRecord.read(folder / "record.json"), folder, parent)
    done = run(tmp_path, "compare", *(f"mlflow:{parent}" for parent in sweeps.values()), "--json")
    assert done.returncode == 0, done.stderr
    assert [found["b"] for found in json.loads(done.stdout)["comparisons"]] == [
        f"{NAME} b1",
        f"{NAME} b4",
    ]
    client = mlflow.MlflowClient(sink.uri)
    found = client.search_runs(
        [client.get_experiment_by_name("asr_scaling").experiment_id],
        f"tags.mlflow.parentRunId = '{sweeps['slow']}'",
    )
    (child,) = (one.info.run_id for one in found if one.info.run_name == f"{NAME} b1")
    gate = ("--fail-if", "latency/p50_s>5%", "--tracking-uri", sink.uri)
    done = run(measured, "compare", point(str(measured / "fast"), 0), f"mlflow:{child}", *gate)
    assert (done.returncode, done.stderr) == (1, "")
    done = run(measured, "compare", "mlflow:abc", "slow", *gate)
    assert done.returncode == 2
    assert "Run with id=abc not found" in done.stderr
