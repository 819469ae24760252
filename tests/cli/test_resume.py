"""sweep.resume=true: a sweep that was cut goes on, and neither loses nor repeats a point."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile as sf
from support.command import QUICK, Cli, records
from support.offline import FAST
from support.warm import Started

from asr_scaling.core.record import RECORD_FILE, RunRecord

POINTS = ("model=whisper_tiny_en,wav2vec2", "batch=1,2,4,8")
RESUME = "sweep.resume=true"


def times(folder: Path) -> dict[str, tuple[float, float]]:
    """Folder of each point → when it began and ended."""
    found = {path.parent.name: RunRecord.read(path) for path in folder.rglob(RECORD_FILE)}
    return {name: (record.started_at, record.ended_at) for name, record in found.items()}


def sizes(folder: Path) -> list[int]:
    return [record.config["batch"]["size"] for record in records(folder)]


def test_what_failed_is_measured_again_and_nothing_else(cli: Cli, tmp_path: Path) -> None:
    sweep = ("-m", *QUICK, "batch=1,2,4", "engine.max_batch=2", "engine.fail_on=${oc.env:FAILING}")
    first = cli(*sweep, FAILING="whisper_tiny_en")
    assert first.returncode == 1
    second = cli(*sweep, RESUME, FAILING="nobody")
    assert [record.status for record in records(tmp_path / "multirun")] == [
        "ok",
        "ok",
        "out_of_memory",
    ]
    before = times(tmp_path)
    third = cli(*sweep, RESUME, FAILING="nobody")
    assert times(tmp_path) == before
    assert third.stderr.count("was measured before") == 3
    assert "was measured before" not in second.stderr
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["ok", "ok", "out_of_memory"]


@pytest.mark.parametrize("way", ["sweep.resume=yes", "++sweep.resume=True", "YAML"])
def test_however_resuming_is_asked_for(cli: Cli, tmp_path: Path, way: str) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    yaml = tmp_path / "mine" / "experiment" / "mine.yaml"
    yaml.write_text("# @package _global_\nseed: 1\n")
    sweep = ("-m", "--config-dir", "mine", "experiment=mine", *QUICK, "batch=1,2")
    assert cli(*sweep).returncode == 0
    before = times(tmp_path)
    if way == "YAML":
        yaml.write_text("# @package _global_\nseed: 1\nsweep: {resume: yes}\n")
    done = cli(*sweep, *([] if way == "YAML" else [way]))
    assert done.stderr.count("was measured before") == 2, done.stderr
    assert times(tmp_path) == before


def test_speech_in_the_working_directory_among_results(cli: Cli, tmp_path: Path) -> None:
    """Only what the manifest names is looked at, wherever that lies."""
    sf.write(tmp_path / "a.wav", [0.1] * 16_000, 16_000)
    (tmp_path / "manifest.jsonl").write_text('{"audio": "a.wav", "text": "one"}')
    sweep = ("-m", *QUICK, "batch=1", "dataset=folder", "dataset.path=.")
    assert cli(*sweep).returncode == 0
    (tmp_path / "log.txt").write_text("what the shell wrote of it")
    assert "was measured before" in cli(*sweep, RESUME).stderr
    sf.write(tmp_path / "a.wav", [0.2] * 17_000, 16_000)
    assert "was measured before" not in cli(*sweep, RESUME).stderr


def test_options_that_shape_a_measurement_are_measured_anew(cli: Cli, tmp_path: Path) -> None:
    folder = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    cli("-m", *QUICK, "batch=1,2", folder)
    before = times(tmp_path)
    cli(
        "-m", *QUICK, "batch=1,2", folder, RESUME, "sweep.report=false", "tracking.path=other.jsonl"
    )
    assert times(tmp_path) == before
    done = cli("-m", *QUICK, "batch=1,2", folder, RESUME, "engine.steps=5")
    assert done.returncode == 0, done.stderr
    assert all(times(tmp_path)[name][0] > end for name, (_, end) in before.items())


def test_a_damaged_record_is_measured_again(cli: Cli, tmp_path: Path) -> None:
    cli("-m", *QUICK, "batch=1,2")
    damaged, whole = sorted((tmp_path / "multirun").rglob(RECORD_FILE))
    damaged.write_text(damaged.read_text()[:100])
    kept = whole.read_bytes()
    done = cli("-m", *QUICK, "batch=1,2", RESUME)
    assert done.returncode == 0, done.stderr
    assert f"{damaged.parent.name} is measured again: " in done.stderr
    assert sizes(tmp_path) == [1, 2]
    assert whole.read_bytes() == kept


def test_a_damaged_record_is_named_when_a_sweep_ends(cli: Cli, tmp_path: Path) -> None:
    sweep = ("-m", *QUICK, "batch=1,2", "hydra.sweep.dir=sweep")
    cli(*sweep)
    whole, _ = (tmp_path / "sweep").rglob(RECORD_FILE)
    damaged = tmp_path / "sweep" / "brought_here" / RECORD_FILE
    damaged.parent.mkdir()
    damaged.write_text(whole.read_text()[:100])
    done = cli(*sweep, RESUME)
    assert done.returncode == 1
    assert "2 of 2 points" in done.stdout
    assert f"Left out: {damaged.relative_to(tmp_path)}" in done.stdout


def test_without_an_earlier_sweep_of_the_command_it_begins_anew_and_says_so(
    cli: Cli, tmp_path: Path
) -> None:
    cli("-m", *QUICK, "batch=1")
    done = cli("-m", *QUICK, "batch=2", RESUME)
    assert done.returncode == 0, done.stderr
    assert "There is no earlier sweep of this command line" in done.stderr
    assert sorted(sizes(tmp_path)) == [1, 2]


def test_a_single_run_is_nothing_to_go_on_with(cli: Cli, tmp_path: Path) -> None:
    done = cli(*QUICK, RESUME)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("error: sweep.resume=true goes on with a sweep: add -m")
    assert not records(tmp_path)


def test_another_sweeps_folder_is_not_gone_on_with(cli: Cli, tmp_path: Path) -> None:
    folder = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    cli("-m", *QUICK, "batch=1,2", folder)
    before = times(tmp_path)
    done = cli("-m", *QUICK, "batch=1,2,4", folder, RESUME)
    assert done.returncode == 1
    assert "has other points: begin anew" in done.stderr
    assert times(tmp_path) == before


def test_a_sweep_file_that_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "sweep.json").write_text("{")
    done = cli("-m", *QUICK, "batch=1,2", RESUME, f"hydra.sweep.dir={folder}")
    assert done.returncode == 1
    assert "begin the sweep anew" in done.stderr
    assert "Traceback" not in done.stderr


def killed(
    tmp_path: Path, env: dict[str, str], when: Callable[[float], bool], *arguments: str
) -> bool:
    """Run the command and kill -9 it and all it started, ``when`` says so of its age in seconds;
    False when it had ended by itself.
    """
    process, start = Started(tmp_path, "asr_scaling", arguments, env), time.monotonic()
    while process.wait(0.02) is None:
        if when(time.monotonic() - start) and process.kill_all():
            return True
    return False


@pytest.mark.slow
def test_kill_minus_nine_ten_times_over(
    cli: Cli, command_env: dict[str, str], tmp_path: Path
) -> None:
    """Wherever it hits: while composing, measuring, writing a record or a line."""
    sweep = ("-m", *QUICK, *POINTS, "engine.fixed_s=0.1", RESUME)
    dice, kills, start = random.Random(4), 0, time.monotonic()
    while kills < 10:
        assert time.monotonic() - start < 300, "the sweep ended before it was killed ten times"
        before = times(tmp_path)
        kills += killed(tmp_path, command_env, dice.uniform(0.2, 2.0).__lt__, *sweep)
        after = times(tmp_path)
        assert {
            name: after.get(name) for name in before
        } == before  # nothing lost, nothing repeated
        if len(after) == 8 and kills < 10:  # all measured: take some away, and go on
            for path in dice.sample(sorted((tmp_path / "multirun").rglob(RECORD_FILE)), 5):
                path.unlink()
            (tmp_path / "records.jsonl").unlink(missing_ok=True)
    before = times(tmp_path)
    done = cli(*sweep)
    assert done.returncode == 0, done.stderr
    after = times(tmp_path)
    assert {name: after[name] for name in before} == before
    found = records(tmp_path / "multirun")
    expected = [(m, size) for m in ("whisper_tiny_en", "wav2vec2") for size in (1, 2, 4, 8)]
    assert [(r.config["model"]["name"], r.config["batch"]["size"]) for r in found] == expected
    assert all(record.status == "ok" for record in found)
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert sorted((line["started_at"], line["ended_at"]) for line in lines) == sorted(
        after.values()
    )
    assert (
        len(list((tmp_path / "multirun").glob("*/*/sweep.json"))) == 1
    )  # one sweep, whoever went on


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_kill_minus_nine_and_mlflow(cli: Cli, command_env: dict[str, str], tmp_path: Path) -> None:
    """One parent run, and every point once below it, whenever the process was killed: while MLflow
    made its tables, and while one and two points later another was measured.
    """
    sweep = ("-m", *FAST, "batch=1,2,4,8", "engine.fixed_s=0.1", RESUME)
    assert killed(tmp_path, command_env, lambda _: any(tmp_path.glob(".mlflow.db-*")), *sweep)
    assert not (tmp_path / "mlflow.db").exists()
    for count in (1, 3):
        assert killed(
            tmp_path,
            command_env,
            lambda _, n=count: len(times(tmp_path)) >= n,  # type: ignore[misc]
            *sweep,
        )
    done = cli(*sweep)
    assert done.returncode == 0, done.stderr
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("asr_scaling").experiment_id])
    parents = [run for run in runs if run.data.tags["asr_scaling.kind"] == "sweep"]
    points = [run for run in runs if run.data.tags["asr_scaling.kind"] == "point"]
    begun = [
        parent
        for parent in parents
        if parent.info.run_id in {p.data.tags["mlflow.parentRunId"] for p in points}
    ]
    assert [parent.info.status for parent in begun] == ["FINISHED"]
    assert sorted(run.data.tags["batch"] for run in points) == ["1", "2", "4", "8"]
    assert {run.info.status for run in points} == {"FINISHED"}
    starts = sorted(round(start * 1000) for start, _ in times(tmp_path / "multirun").values())
    assert sorted(run.info.start_time for run in points) == starts
