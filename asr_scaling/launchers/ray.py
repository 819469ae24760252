"""Points as tasks of a Ray cluster: the one this machine belongs to, or one of its own."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.option_checks import imported
from asr_scaling.errors import ConfigError
from asr_scaling.launchers.work import Work, first_line

_SPACE = "asr_scaling"
_GRACE_S = 15.0
"""Seconds in which cancelled points can write their records."""
_HEAD = "node:__internal_head__"
"""Ray's name of the resource that only a cluster's head has."""
_KNOCK_S = 10.0
"""Seconds in which a cluster must accept a connection."""
_ALONE_S = 300.0
"""Seconds that a sweep's actor stays after all points ended and no client asks."""
_OURS = (
    "ASR_SCALING_",
    "HF_",
    "TRANSFORMERS_",
    "MLFLOW_",
    "OMP_",
    "MKL_",
    "KMP_",
    "GOMP_",
    "MALLOC_",
    "TORCH",
    "PYTORCH",
)
"""How variables begin that a point must see as the client does.

Ray passes none on, and sets OMP_NUM_THREADS.
"""


@dataclass(frozen=True)
class Ray:
    """Runs points as tasks of a Ray cluster.

    address: of the cluster. None: the one that $RAY_ADDRESS names or that runs here, otherwise one
        is started; "local" always starts one.
    num_cpus: cores of a point; None for all cores of a node, or with GPUs its share of them.
    num_gpus: GPUs of a point.
    """

    address: str | None = None
    num_cpus: float | None = None
    num_gpus: float = 0

    def run(self, works: Sequence[Work]) -> Generator[tuple[Work, str | None], None, None]:
        """Use an actor that outlives this process, so that a later client can wait for points."""
        ray = _imported()
        # a cluster that is started here sends no reports, and does not nice its points by 15
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")
        try:
            _knock(self.address or os.environ.get("RAY_ADDRESS", ""))
            ray.init(
                address=self.address, namespace=_SPACE, include_dashboard=False, log_to_driver=False
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"The Ray cluster can't be reached ({first_line(error)}): see "
                "hydra.launcher.address and $RAY_ADDRESS; one that asks for a token needs "
                "RAY_AUTH_MODE=token here too."
            ) from error
        left = {str(work.folder): work for work in works}
        try:
            keeper = _keeper(ray, works[0].sweep)
            variables = {key: value for key, value in os.environ.items() if key.startswith(_OURS)}
            tasks = {place: ray.cloudpickle.dumps(work) for place, work in left.items()}
            ray.get(keeper.start.remote(tasks, variables, self._resources(ray)))
            try:
                while left:
                    for place, reason in ray.get(keeper.ended.remote(1.0)).items():
                        if place in left:
                            yield left.pop(place), reason
            except ray.exceptions.RayActorError as error:
                reason = f"Ray lost the process that waits for this sweep ({first_line(error)})"
                for place in list(left):
                    yield left.pop(place), reason
            finally:
                if left:
                    ray.get(keeper.cancel.remote(), timeout=2 * _GRACE_S)
                ray.kill(keeper)
        finally:
            ray.shutdown()

    def _resources(self, ray: Any) -> dict[str, float]:
        """What a task asks for: by default all cores of the largest node.

        So no two points run on one node, and smaller nodes are not used. Raises ConfigError when no
        node has so much.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus, gpus = (
            max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("CPU", "GPU")
        )
        share = cpus // max(1.0, gpus // self.num_gpus) if self.num_gpus else cpus
        cores = share if self.num_cpus is None else self.num_cpus
        if not cores <= cpus or self.num_gpus > gpus or cpus == 0:
            raise ConfigError(
                f"No node of the Ray cluster has what a point asks for ({cores:g} CPUs and "
                f"{self.num_gpus:g} GPUs; the largest has {cpus:g} and {gpus:g}): change "
                "hydra.launcher.num_cpus or hydra.launcher.num_gpus."
            )
        return {"num_cpus": cores, "num_gpus": self.num_gpus}


class Keeper:
    """The actor that owns the tasks of a sweep."""

    def __init__(self) -> None:
        self._tasks: dict[str, Any] = {}
        self._asked = time.monotonic()
        threading.Thread(target=self._stay, daemon=True).start()

    def start(
        self,
        tasks: Mapping[str, bytes],
        variables: Mapping[str, str],
        resources: Mapping[str, float],
    ) -> None:
        """Run the tasks that no earlier client of this sweep has left running.

        tasks: folder of a point → its pickled work.
        variables: environment of the points.
        resources: what Ray reserves for each task.
        """
        ray = _imported()
        self.ended(0.0)
        # no retries, which would measure twice; a process for each point, so that heaps are fresh
        task = ray.remote(max_retries=0, max_calls=1, **resources)(_carry_out)
        for place, payload in tasks.items():
            if place not in self._tasks:
                self._tasks[place] = task.remote(payload, variables)

    def ended(self, wait_s: float) -> dict[str, str | None]:
        """Folder → what went wrong, or None, of tasks that have ended since the last such call.

        wait_s: seconds to wait for the first of them.
        """
        ray = _imported()
        self._asked, reasons = time.monotonic(), {}
        places = {task: place for place, task in self._tasks.items()}
        for task in ray.wait(list(places), timeout=wait_s)[0] if places else ():
            place = places[task]
            del self._tasks[place]
            try:
                reasons[place] = ray.get(task)
            except ray.exceptions.RayError as error:
                kind = type(error).__name__
                reasons[place] = f"Ray ended the point with {kind}: {first_line(error)}"
        return reasons

    def cancel(self) -> None:
        """Interrupt running points, which record that, and kill those that don't end."""
        ray, tasks = _imported(), list(self._tasks.values())
        for force in (False, True):
            for task in tasks:
                ray.cancel(task, force=force)
            if tasks:
                ray.wait(tasks, num_returns=len(tasks), timeout=_GRACE_S)

    def _stay(self) -> None:
        """End this actor when nothing runs and no client asks: its client may have been killed."""
        ray = _imported()
        while time.monotonic() - self._asked < _ALONE_S:
            time.sleep(5)
            tasks = list(self._tasks.values())
            if tasks and ray.wait(tasks, num_returns=len(tasks), timeout=0)[1]:
                self._asked = time.monotonic()
        os._exit(0)


def _carry_out(payload: bytes, variables: Mapping[str, str]) -> str | None:
    """Runs in the task; sets the variables before the imports of the point read them."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    context = _imported().get_runtime_context()
    os.environ.update(variables, RAY_JOB_ID=context.get_job_id(), RAY_NODE_ID=context.get_node_id())
    work: Work = pickle.loads(payload)
    return work.carry_out()


def _knock(address: str) -> None:
    """Connect once to ``address`` ("host:port"), since Ray itself would try for minutes.

    Raises OSError or ValueError when nothing listens there.
    """
    host, port = address.removeprefix("ray://").rpartition(":")[::2]
    if host:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()


def _keeper(ray: Any, sweep: Path) -> Any:
    """The actor of this sweep: the one that a killed client left, or a new one.

    It runs on the cluster's head. On another node it would be lost with that node, and with it all
    queued points.
    """
    keeper = ray.remote(Keeper).options(
        name=hashlib.sha256(str(sweep).encode()).hexdigest()[:16],
        num_cpus=0,
        resources={_HEAD: 0.001},
        lifetime="detached",
        get_if_exists=True,
    )
    return keeper.remote()


def _imported() -> Any:
    return imported("ray", "ray")
