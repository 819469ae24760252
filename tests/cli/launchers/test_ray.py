"""hydra/launcher=ray on clusters of this machine: one that is there, of two nodes, and one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import QUICK, Cli, records
from sweeps import RESUME, SIX, identities, kill_client, reasons, started, starts, until

pytest.importorskip("ray", reason="needs the extra ray")
RAY = "hydra/launcher=ray"
TWO = ("-m", *QUICK, "batch=1,2", RAY)
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000})
nodes = []
for line in [*"+", *sys.stdin]:
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
        )  # fmt: skip
        self.option = f"hydra.launcher.address={self._answer()}"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, word: str) -> None:
        """"+": one node more; "-": one is killed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        self._answer()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    found = RayCluster()
    yield found
    found.end()


@pytest.mark.slow
def test_six_points_are_those_of_one_machine(
    cluster: RayCluster, cli: Cli, tmp_path: Path, on_one_machine: object
) -> None:
    done = cli(*SIX, RAY, cluster.option, OMP_NUM_THREADS="")
    assert done.returncode == 0, done.stderr
    assert identities(tmp_path) == on_one_machine
    assert {record.environment["scheduler"]["name"] for record in records(tmp_path)} == {"ray"}
