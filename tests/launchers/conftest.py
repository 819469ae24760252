"""A Slurm for all tests, and what sweeps on launchers are stored in and compared with."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.offline import FAST
from support.sweeps import SIX, identities
from support.warm import run_warm

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT.parent / "shared" / "scripts" / "slurm_setup.sh"
SLURM = Path("/tmp/slurm-test")
NEEDED = ("sbatch", "sacct", "slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd")

Identities = dict[tuple[str, int], tuple[str, str]]


@pytest.fixture
def on_one_machine(
    tmp_path_factory: pytest.TempPathFactory, command_env: dict[str, str]
) -> Identities:
    """The six points as Hydra's own launcher measures them,
    in the environment of this very test."""
    folder = tmp_path_factory.mktemp("basic")
    done = run_warm(folder, "asr_scaling", SIX, command_env)
    assert done.returncode == 0, done.stderr
    return identities(folder)


@contextmanager
def _locked(name: str, how: int) -> Iterator[Any]:
    with open(f"/tmp/asr_scaling-test-{name}.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, how)
        yield file


def _slurm(what: str) -> None:
    subprocess.run(["bash", str(SCRIPT), what], capture_output=True, check=True, timeout=120)


@pytest.fixture(scope="session")
def slurm_runs() -> Iterator[None]:
    """Slurm on this machine, for all processes that test:
    the first starts it, the last stops it."""
    missing = [
        name
        for name in NEEDED
        if shutil.which(name) is None and not Path(f"/usr/sbin/{name}").exists()
    ]
    if not SCRIPT.exists():
        pytest.skip(f"needs {SCRIPT} to start a Slurm of its own")
    if missing or os.geteuid() != 0:
        pytest.skip(
            f"needs root and Slurm on this machine (missing: {', '.join(missing) or 'root'})"
        )
    with _locked("slurm-runs", fcntl.LOCK_SH) as runs:
        with _locked("slurm", fcntl.LOCK_EX):
            _slurm("start")
        yield
        try:
            fcntl.flock(runs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _slurm("stop")


@pytest.fixture
def slurm(slurm_runs: None, command_env: dict[str, str]) -> Iterator[dict[str, str]]:
    """Slurm for this test alone: it has only one node. The environment for sweeps."""
    with _locked("slurm", fcntl.LOCK_EX):
        yield {**command_env, "SLURM_CONF": f"{SLURM}/slurm.conf"}


@pytest.fixture
def mlflow_options(
    fresh_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, ...]:
    """Options of a quick sweep that is stored outside the test's folder,
    where records are counted."""
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(fresh_database, folder / "mlflow.db")
    return (
        *FAST,
        f"tracking.uri=sqlite:///{folder}/mlflow.db",
        f"tracking.artifacts={folder}/artifacts",
    )
