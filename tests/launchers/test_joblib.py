"""hydra/launcher=joblib: points in worker processes, of which any may die."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest
from support.command import QUICK, Cli, records
from support.sweeps import (
    RESUME,
    SIX,
    identities,
    kill_client,
    one_parent,
    reasons,
    starts,
    until,
)
from support.warm import Started

from asr_scaling.records.read import readable_records

JOBLIB = "hydra/launcher=joblib"
THREE = ("-m", *QUICK, "batch=1,2,4", JOBLIB)
pytest.importorskip("joblib", reason="needs the extra joblib")


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_six_points_are_those_of_one_machine_below_one_parent(
    cli: Cli, tmp_path: Path, on_one_machine: object, mlflow_options: tuple[str, ...]
) -> None:
    done = cli("-m", *mlflow_options, *SIX[-2:], JOBLIB, "tracking.experiment=joblib")
    assert done.returncode == 0, done.stderr
    assert identities(tmp_path) == on_one_machine
    one_parent(mlflow_options, "joblib", ["FINISHED"] * 6)
    assert "6 of 6 points" in done.stdout
    assert "[6/6] wav2vec2 fake cpu b16 done" in done.stderr


def test_a_killed_worker_loses_no_other_point_and_that_one_alone_is_run_again(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "fault").write_text("kill")
    done = cli(*THREE, "engine.fault=fault")
    assert done.returncode == 1
    assert [record.status for record in records(tmp_path)] == ["interrupted", "ok", "ok"]
    assert "its worker process died" in reasons(tmp_path)[0]
    assert "3 of 3 points" in done.stdout
    before = starts(tmp_path)
    again = cli(*THREE, "engine.fault=fault", RESUME)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("was measured before") == 2
    assert before.items() < starts(tmp_path).items()


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_point_that_exits_fails_alone(cli: Cli, tmp_path: Path, launcher: str) -> None:
    (tmp_path / "fault").write_text("exit")
    done = cli("-m", *QUICK, "batch=1,2", f"hydra/launcher={launcher}", "engine.fault=fault")
    assert done.returncode == 1
    assert [record.status for record in records(tmp_path)] == ["failed", "ok"]
    assert "SystemExit" in str(records(tmp_path)[0].reason)
    assert "2 of 2 points" in done.stdout


def test_points_that_raise_or_can_not_be_built_reach_the_store(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "fault").write_text("raise")
    done = cli("-m", *QUICK, "batch=0,1,2", JOBLIB, "engine.fault=fault")
    assert done.returncode == 1
    assert [record.status for record in records(tmp_path)] == ["failed", "failed", "ok"]
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 3


def test_ctrl_c_marks_what_it_cancels(tmp_path: Path, command_env: dict[str, str]) -> None:
    sweep = (*THREE, "engine.fixed_s=0.5")
    process = Started(tmp_path, "asr_scaling", sweep, command_env)
    until(lambda: starts(tmp_path))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    found = [record.status for record in records(tmp_path)]
    assert found[0] == "ok"
    assert found[2] == "interrupted"
    assert "3 of 3 points" in out


def test_a_client_that_dies_loses_nothing_that_was_measured(
    cli: Cli, tmp_path: Path, command_env: dict[str, str]
) -> None:
    sweep = (*THREE, "engine.fixed_s=0.3")
    process = Started(tmp_path, "asr_scaling", sweep, command_env)
    until(lambda: starts(tmp_path))
    workers = process.children()
    kill_client(process)
    psutil.wait_procs(workers, timeout=60)  # once they have ended their points
    before = starts(tmp_path)
    done = cli(*sweep, RESUME)
    assert done.returncode == 0, done.stderr
    assert before.items() <= starts(tmp_path).items()
    assert len(starts(tmp_path)) == 3


@pytest.mark.parametrize("option", ["hydra.launcher.n_jobs=2", "hydra/launcher=slurm"])
def test_rounds_need_one_point_after_the_other(cli: Cli, tmp_path: Path, option: str) -> None:
    done = cli(
        *THREE[:-1],
        JOBLIB if "n_jobs" in option else option,
        *[option][: "n_jobs" in option],
        "sweep.processes=2",
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: sweep.processes=2 compares points measured one after the other on one machine, "
        "which this hydra/launcher does not promise: leave hydra/launcher out and have the "
        "scheduler run the whole command on one node, or measure each point in one process.\n"
    )
    assert not records(tmp_path)


def test_rounds_in_new_workers(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *QUICK, "batch=1", JOBLIB, "sweep.processes=2", "profiler=[latency]")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 points in 2 processes each" in done.stdout
    (point,) = readable_records(tmp_path, [])
    assert point.values["startup/first_call_s"] > 0
    assert {metric.n for metric in point.metrics if metric.name == "startup/first_call_s"} == {2}
