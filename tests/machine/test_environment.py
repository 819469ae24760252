"""What is recorded of the scheduler that started a process: its own variables, and nothing else."""

from __future__ import annotations

import os

import pytest

from asr_scaling.machine.environment import certified, scheduler


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SLURM", "RAY_", "PBS_", "LSB_"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variables", "facts"),
    [
        ({}, None),
        ({"SLURMD_NODENAME": "n1"}, None),
        (
            {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"},
            {"name": "slurm", "job": "7", "node": "n1"},
        ),
        (
            {
                "SLURM_JOB_ID": "9",
                "SLURM_ARRAY_JOB_ID": "7",
                "SLURM_ARRAY_TASK_ID": "2",
                "SLURM_JOB_PARTITION": "gpu",
            },
            {"name": "slurm", "job": "7_2", "partition": "gpu"},
        ),
        (
            {"SLURM_JOB_ID": "9", "RAY_JOB_ID": "02", "RAY_NODE_ID": "ab"},
            {"name": "ray", "job": "02", "node": "ab"},
        ),
        (
            {"PBS_JOBID": "5.head", "PBS_QUEUE": "short"},
            {"name": "pbs", "job": "5.head", "queue": "short"},
        ),
    ],
)
def test_the_schedulers_job(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], facts: dict[str, str] | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert scheduler() == facts
    assert certified(None).get("scheduler") == facts


@pytest.mark.parametrize(("niceness", "said"), [(0, None), (15, 15)])
def test_who_goes_last_says_so(
    niceness: int, said: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda increment: niceness + increment)
    assert certified(None).get("niceness") == said


def test_no_secret_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JWT", "hush")
    assert "hush" not in str(certified(None))
