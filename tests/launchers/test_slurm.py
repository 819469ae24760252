"""hydra/launcher=slurm on a Slurm of this machine:
every way of losing a job, and none of losing a point."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records
from support.sweeps import (
    RESUME,
    SIX,
    identities,
    kill_client,
    lose_two_and_go_on,
    one_parent,
    reasons,
    underway,
    until,
)
from support.warm import Started

pytest.importorskip("submitit", reason="needs the extra slurm")
SLURM = ("hydra/launcher=slurm", "hydra.launcher.poll_s=1")
TWO = ("-m", *QUICK, "batch=1,2", *SLURM)


def ask(slurm: dict[str, str], *command: str) -> str:
    return subprocess.run(
        command, env=slurm, capture_output=True, text=True, check=True
    ).stdout.strip()


def running(slurm: dict[str, str]) -> str:
    """The job that runs now."""
    return ask(slurm, "squeue", "-h", "-t", "R", "-o", "%A")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_six_points_are_those_of_one_machine_below_one_parent(
    slurm: dict[str, str],
    cli: Cli,
    tmp_path: Path,
    on_one_machine: object,
    mlflow_options: tuple[str, ...],
) -> None:
    options = [option for option in mlflow_options if option != "sweep.selftest=false"]
    done = cli("-m", *options, *SIX[-2:], *SLURM, "tracking.experiment=slurm", **slurm)
    assert done.returncode == 0, done.stderr
    assert identities(tmp_path) == on_one_machine
    jobs = [record.environment["scheduler"] for record in records(tmp_path)]
    assert {job["name"] for job in jobs} == {"slurm"}
    assert len({job["job"] for job in jobs}) == 6
    assert {record.environment["certificate"]["noise_floor"] for record in records(tmp_path)} == {
        0.01
    }
    assert [path.name for path in tmp_path.rglob("certificate*.json")] == [
        f"certificate-{socket.gethostname()}.json"
    ]
    one_parent(mlflow_options, "slurm", ["FINISHED"] * 6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_jobs_that_are_killed_or_raise_lose_no_other_and_alone_are_run_again(
    slurm: dict[str, str], cli: Cli, tmp_path: Path, mlflow_options: tuple[str, ...]
) -> None:
    reason = lose_two_and_go_on(cli, tmp_path, mlflow_options, "slurm_faults", *SLURM, **slurm)
    assert "Slurm job" in reason
    assert "ended FAILED" in reason


@pytest.mark.slow
def test_a_lost_node_loses_the_point_that_it_measured(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    node = ask(slurm, "sinfo", "-h", "-o", "%n")
    process = Started(tmp_path, "asr_scaling", [*TWO, "engine.fixed_s=2"], slurm)
    # its process still imports: it hears no SIGTERM and leaves no record, as on a node that is gone
    until(lambda: ask(slurm, "squeue", "-h", "-t", "R", "-o", "%i"))
    ask(
        slurm, "scontrol", "update", f"nodename={node}", "state=down", "reason=test"
    )  # it comes back by itself
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert [record.status for record in records(tmp_path)] == ["interrupted", "ok"]
    assert "ended NODE_FAIL" in reasons(tmp_path)[0]


@pytest.mark.slow
def test_jobs_go_on_without_their_client_and_the_next_one_waits_for_them(
    slurm: dict[str, str], cli: Cli, tmp_path: Path
) -> None:
    sweep = (*TWO, "engine.fixed_s=0.5")
    process = underway(tmp_path, slurm, *sweep)
    submitted = ask(slurm, "squeue", "-h", "-r", "-o", "%i").split()
    kill_client(process)
    done = cli(*sweep, RESUME, **slurm)
    assert done.returncode == 0, done.stderr
    assert sorted(record.environment["scheduler"]["job"] for record in records(tmp_path)) == sorted(
        submitted
    )


@pytest.mark.slow
def test_a_point_at_its_time_limit_records_that(slurm: dict[str, str], tmp_path: Path) -> None:
    endless = (
        "pipeline.min_iterations=100000",
        "pipeline.max_seconds=600",
        "hydra.launcher.minutes=5",
    )
    process = underway(tmp_path, slurm, "-m", *QUICK, "batch=1", *SLURM, *endless)
    job = running(slurm)
    ask(
        slurm, "scontrol", "update", f"jobid={job}", "EndTime=now+1seconds"
    )  # minutes are Slurm's shortest limit
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert [record.status for record in records(tmp_path)] == ["interrupted"]
    (reason,) = reasons(tmp_path)
    assert re.search(
        "a scheduler's time limit|ended TIMEOUT", reason
    )  # the latter of one that had hardly begun
    assert ask(slurm, "sacct", "-nX", "-j", job, "-o", "State") == "TIMEOUT"


@pytest.mark.slow
def test_ctrl_c_cancels_the_jobs_and_marks_them(slurm: dict[str, str], tmp_path: Path) -> None:
    process = Started(tmp_path, "asr_scaling", [*TWO, "engine.fixed_s=1"], slurm)
    until(lambda: running(slurm))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert ask(slurm, "squeue", "-h") == ""
    assert [record.status for record in records(tmp_path)] == ["interrupted", "interrupted"]
    assert out.count("cancelled by the user before it ended") >= 1


def test_without_slurm_it_says_so(cli: Cli, tmp_path: Path) -> None:
    done = cli(*TWO, PATH="/nowhere")
    assert done.returncode == 1
    assert "error: hydra/launcher=slurm needs sbatch" in done.stderr
    assert not records(tmp_path)
