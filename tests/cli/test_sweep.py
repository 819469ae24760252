"""Sweeps from the command line: every point a record, failures included,
whatever happens half way."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records, start
from support.funasr_zoo import ZOO

SLOW_POINTS = (*QUICK, "engine.fixed_s=0.2", "batch=1,2,3,4")


def test_six_points_side_by_side(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *QUICK, "model=whisper_tiny_en,wav2vec2", "batch=1,8,16")
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "multirun")
    assert [(r.config["model"]["name"], r.config["batch"]["size"]) for r in found] == [
        (model, size) for model in ("whisper_tiny_en", "wav2vec2") for size in (1, 8, 16)
    ]
    assert all(record.status == "ok" for record in found)
    made = found[0].config["hydra"]
    assert made["choices"]["model"] == "whisper_tiny_en"
    assert made["choices"]["engine"] == "fake"
    assert {"model=whisper_tiny_en", "batch.size=1"} <= set(made["overrides"])
    assert all(
        len(sample.utterances) == r.config["batch"]["size"] for r in found for sample in r.samples
    )
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["metrics"] for line in lines] == [
        r.to_json()["metrics"] for r in found
    ]
    assert "6 of 6 points" in done.stdout
    assert "[6/6] wav2vec2 fake cpu b16 · timed pass" in done.stderr
    assert "about" in done.stderr


def test_batch_sizes_mix_with_strategies_and_quotes(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *QUICK, "batch='1',\"2\"", "pipeline.warmup=0,1")
    assert done.returncode == 0, done.stderr
    assert {r.config["batch"]["size"] for r in records(tmp_path)} == {1, 2}
    strategy = cli(*QUICK, "batch=bucketed", "batch.size=2")
    assert strategy.returncode == 0, strategy.stderr


def test_failing_points_are_recorded_and_the_others_measured(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "-m",
        *QUICK,
        "model=whisper_tiny_en,wav2vec2",
        "batch=1,4",
        "engine.max_batch=2",
        "engine.fail_on=wav2vec2",
    )
    assert done.returncode == 1
    found = {(r.config["model"]["name"], r.config["batch"]["size"]): r for r in records(tmp_path)}
    assert found["whisper_tiny_en", 1].status == "ok"
    assert found["whisper_tiny_en", 4].status == "out_of_memory"
    assert found["wav2vec2", 1].status == found["wav2vec2", 4].status == "failed"
    assert "out of memory" in done.stdout
    assert "was told to fail" in " ".join(done.stdout.split())


SHORT = ("pipeline.utterances=1", "pipeline.precision=null", "pipeline.warmup_seconds=0")


@pytest.mark.parametrize(
    "name", ["smoke", "batch_scaling", "length_scaling", "model_scaling", "zoo"]
)
def test_experiments_sweep_without_a_flag(cli: Cli, tmp_path: Path, name: str) -> None:
    done = cli(f"experiment={name}", "engine=fake", "tracking=jsonl", "profiler=[latency]", *SHORT)
    assert done.returncode == 0, done.stderr
    swept = {"smoke": 2, "batch_scaling": 5, "length_scaling": 4, "model_scaling": 4}
    assert len(records(tmp_path)) == swept.get(name, len(ZOO))


@pytest.mark.parametrize(("name", "points"), [("study", 20), ("study_quick", 6)])
def test_a_study_ends_with_its_report(cli: Cli, tmp_path: Path, name: str, points: int) -> None:
    one = ("model=whisper_tiny_en", "engine=fake", "tracking=jsonl", "profiler=[latency,quality]")
    done = cli(f"experiment={name}", *one, *SHORT, "sweep.processes=1")  # else 60 processes
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == points
    (page,) = (tmp_path / "multirun").rglob("report/report.html")
    assert f"Report: {page.relative_to(tmp_path)}" in done.stdout
    assert " of demo: whisper_tiny_en · cpu · batch " in " ".join(done.stdout.split())
    assert (page.parent / "report.md").exists()
    assert list((page.parent / "figures").glob("*.png"))


def test_an_experiments_axis_can_be_replaced(cli: Cli, tmp_path: Path) -> None:
    done = cli("experiment=batch_scaling", *QUICK, "batch=3")
    assert done.returncode == 0, done.stderr
    assert [r.config["batch"]["size"] for r in records(tmp_path)] == [3]
    assert "1 of 1 points" in done.stdout


def test_ctrl_c_once_interrupts_a_point_and_the_sweep_goes_on(
    tmp_path: Path, command_env: dict[str, str]
) -> None:
    process = start(tmp_path, command_env, *SLOW_POINTS)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert [r.status for r in records(tmp_path)] == ["ok", "interrupted", "ok", "ok"]
    assert "press ctrl-c again" in err.lower()
    assert "interrupted" in out


def test_ctrl_c_twice_ends_the_sweep(tmp_path: Path, command_env: dict[str, str]) -> None:
    process = start(tmp_path, command_env, *SLOW_POINTS)
    process.send_signal(signal.SIGINT)
    process.said("Press Ctrl-C again")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert [r.status for r in records(tmp_path)] == ["ok", "interrupted"]
    assert "2 of 4 points" in out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_sweep_leaves_finished_points_whole(
    tmp_path: Path, command_env: dict[str, str], number: signal.Signals
) -> None:
    process = start(tmp_path, command_env, *SLOW_POINTS)
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode not in (0, None)
    first, *rest = records(tmp_path)
    assert first.status == "ok"
    assert first.values["quality/wer"] == 0
    assert [r.status for r in rest] == ([] if number == signal.SIGKILL else ["interrupted"])
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert lines[0]["metrics"] == first.to_json()["metrics"]


@pytest.mark.usefixtures("mlflow_database")
@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy"
)  # mlflow's, with the newest sqlalchemy
def test_mlflow_keeps_what_a_killed_sweep_measured(
    tmp_path: Path, command_env: dict[str, str]
) -> None:
    import mlflow

    arguments = [argument for argument in SLOW_POINTS if argument != "tracking=jsonl"]
    process = start(tmp_path, command_env, *arguments)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("asr_scaling")
    runs = client.search_runs([experiment.experiment_id])
    points = [run for run in runs if run.data.tags["asr_scaling.kind"] == "point"]
    record = records(tmp_path)[0]
    assert [run.info.status for run in points] == ["FINISHED"]
    assert record.values.items() <= points[0].data.metrics.items()
