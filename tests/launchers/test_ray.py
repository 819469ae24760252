"""hydra/launcher=ray on clusters of this machine:
one that is there, of two nodes, and one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.command import QUICK, Cli, records
from support.sweeps import (
    RESUME,
    SIX,
    identities,
    kill_client,
    lose_two_and_go_on,
    reasons,
    starts,
    underway,
    until,
)

pytest.importorskip("ray", reason="needs the extra ray")
RAY = "hydra/launcher=ray"
TWO = ("-m", *QUICK, "batch=1,2", RAY)
CLUSTER = """
import itertools, sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, \
"object_store_memory": 80_000_000})
nodes = []
for line in itertools.chain("+", sys.stdin):
    if line.startswith("+"):
        nodes.append(cluster.add_node(num_cpus=2, object_store_memory=80_000_000))
    else:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    print(cluster.address, flush=True)
cluster.shutdown()
"""


class RayCluster:
    """A head without cores and one node with two, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "RAY_worker_niceness": "0"},  # as docs/cluster.md starts one
        )  # fmt: skip
        self.option = f"hydra.launcher.address={self._answer()}"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, word: str) -> None:
        """ "+": one node more; "-": one is killed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        self._answer()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    found = RayCluster()
    yield found
    found.end()


@pytest.mark.slow
def test_six_points_are_those_of_one_machine(
    cluster: RayCluster, cli: Cli, tmp_path: Path, on_one_machine: object
) -> None:
    done = cli(*SIX, RAY, cluster.option)
    assert done.returncode == 0, done.stderr
    assert identities(tmp_path) == on_one_machine
    assert {record.environment["scheduler"]["name"] for record in records(tmp_path)} == {"ray"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_tasks_that_are_killed_or_raise_lose_no_other_and_alone_are_run_again(
    cluster: RayCluster, cli: Cli, tmp_path: Path, mlflow_options: tuple[str, ...]
) -> None:
    reason = lose_two_and_go_on(cli, tmp_path, mlflow_options, "ray_faults", RAY, cluster.option)
    assert "Ray ended the point with" in reason


@pytest.mark.slow
def test_ctrl_c_cancels_the_tasks_and_marks_them(
    cluster: RayCluster, tmp_path: Path, command_env: dict[str, str]
) -> None:
    process = underway(tmp_path, command_env, *TWO, cluster.option, "engine.fixed_s=8")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert [record.status for record in records(tmp_path)] == ["interrupted", "interrupted"]
    assert out.count("cancelled by the user before it ended") >= 1


@pytest.mark.slow
def test_a_lost_node_loses_the_point_that_it_measured(
    cluster: RayCluster, tmp_path: Path, command_env: dict[str, str]
) -> None:
    process = underway(tmp_path, command_env, *TWO, cluster.option, "engine.fixed_s=1")
    cluster.tell("-")
    cluster.tell("+")
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert [record.status for record in records(tmp_path)] == ["interrupted", "ok"], reasons(
        tmp_path
    )


@pytest.mark.slow
def test_tasks_go_on_without_their_client_and_the_next_one_waits_for_them(
    cluster: RayCluster, cli: Cli, tmp_path: Path, command_env: dict[str, str]
) -> None:
    sweep = (*TWO, cluster.option, "engine.fixed_s=0.5")
    process = underway(tmp_path, command_env, *sweep)
    kill_client(process)
    until(lambda: len(starts(tmp_path)) == 2)
    before = starts(tmp_path)
    done = cli(*sweep, RESUME)
    assert done.returncode == 0, done.stderr
    assert starts(tmp_path) == before


@pytest.mark.slow
def test_six_points_on_a_cluster_of_its_own_which_ends_with_the_sweep(
    cli: Cli, tmp_path: Path, on_one_machine: object
) -> None:
    before = set(psutil.pids())
    done = cli(*SIX, RAY, "hydra.launcher.address=local")
    assert done.returncode == 0, done.stderr
    assert identities(tmp_path) == on_one_machine
    assert not [record for record in records(tmp_path) if "niceness" in record.environment]
    until(lambda: not raylets(set(psutil.pids()) - before))


def raylets(pids: set[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            found += [pid] if "raylet" in psutil.Process(pid).name() else []
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.slow  # beside those that share its cluster
def test_more_than_any_node_has_is_refused(cluster: RayCluster, cli: Cli, tmp_path: Path) -> None:
    done = cli(*TWO, cluster.option, "hydra.launcher.num_cpus=64")
    assert done.returncode == 1
    assert "error: No node of the Ray cluster has what a point asks for (64 CPUs" in done.stderr


def test_a_cluster_that_is_not_there_is_one_sentence(cli: Cli, tmp_path: Path) -> None:
    done = cli(*TWO, "hydra.launcher.address=127.0.0.1:9")
    assert done.returncode == 1
    assert "error: The Ray cluster can't be reached (" in done.stderr
    assert "Traceback" not in done.stderr
    assert not records(tmp_path)
