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

from asr_scaling.errors import ConfigError, MissingExtraError
from asr_scaling.launchers.work import Work

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
"""Variables that a point must see as the client does. Ray hands on none, and sets OMP_NUM_THREADS."""


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
        """Use an actor that outlives this process, so that a later client can wait for its points."""
        ray = _imported()
        # A cluster that is started here reports to nobody, and its points are not niced, which Ray does by 15.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")
        try:
            _knock(self.address or os.environ.get("RAY_ADDRESS", ""))
            ray.init(
                address=self.address, namespace=_SPACE, include_dashboard=False, log_to_driver=False
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"The Ray cluster can't be reached ({_first(error)}): see hydra.launcher.address and $RAY_ADDRESS; one "
                "that asks for a token needs RAY_AUTH_MODE=token here too."
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
                for place in list(left):
                    yield (
                        left.pop(place),
                        f"Ray lost the process that waits for this sweep ({_first(error)})",
                    )
            finally:
                if left:
                    ray.get(keeper.cancel.remote(), timeout=2 * _GRACE_S)
                ray.kill(keeper)
        finally:
            ray.shutdown()

    def _resources(self, ray: Any) -> dict[str, float]:
        """What a task asks for. All cores of the largest node: so no two run on one, and smaller nodes are not used."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus, gpus = (
            max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("CPU", "GPU")
        )
        share = cpus // max(1.0, gpus // self.num_gpus) if self.num_gpus else cpus
        asked = {
            "num_cpus": share if self.num_cpus is None else self.num_cpus,
            "num_gpus": self.num_gpus,
        }
        if not asked["num_cpus"] <= cpus or self.num_gpus > gpus or cpus == 0:
            raise ConfigError(
                f"No node of the Ray cluster has what a point asks for ({asked['num_cpus']:g} CPUs and "
                f"{self.num_gpus:g} GPUs; the largest has {cpus:g} and {gpus:g}): change hydra.launcher.num_cpus or "
                "hydra.launcher.num_gpus."
            )
        return asked


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
        """Run those of ``tasks``, by their folder, that an earlier client of this sweep has not left running."""
        ray = _imported()
        self.ended(0.0)
        # A task that is tried again would measure twice; a process of its own has nobody's heap and leaves none.
        task = ray.remote(max_retries=0, max_calls=1, **resources)(_carry_out)
        for place, payload in tasks.items():
            if place not in self._tasks:
                self._tasks[place] = task.remote(payload, variables)

    def ended(self, wait_s: float) -> dict[str, str | None]:
        """Folder → what went wrong, None when nothing did, of tasks that have ended since this was asked last."""
        ray = _imported()
        self._asked, found = time.monotonic(), {}
        places = {task: place for place, task in self._tasks.items()}
        done = ray.wait(list(places), timeout=wait_s)[0] if places else []
        for task in done:
            place = places[task]
            del self._tasks[place]
            try:
                found[place] = ray.get(task)
            except ray.exceptions.RayError as error:
                found[place] = f"Ray ended the point with {type(error).__name__}: {_first(error)}"
        return found

    def cancel(self) -> None:
        """What is queued never runs; what runs is interrupted, which it records, or else killed."""
        ray = _imported()
        for force in (False, True):
            for task in self._tasks.values():
                ray.cancel(task, force=force)
            if self._tasks:
                ray.wait(list(self._tasks.values()), num_returns=len(self._tasks), timeout=_GRACE_S)

    def _stay(self) -> None:
        """Until nothing is left to do and nobody asks: the client that would end this actor may be gone."""
        ray = _imported()
        while time.monotonic() - self._asked < _ALONE_S:
            time.sleep(5)
            tasks = list(self._tasks.values())
            if tasks and ray.wait(tasks, num_returns=len(tasks), timeout=0)[1]:
                self._asked = time.monotonic()
        os._exit(0)


def _carry_out(payload: bytes, variables: Mapping[str, str]) -> str | None:
    """Runs in the task; sets the variables before the point's imports read them."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    context = _imported().get_runtime_context()
    os.environ.update(variables, RAY_JOB_ID=context.get_job_id(), RAY_NODE_ID=context.get_node_id())
    work: Work = pickle.loads(payload)
    return work.carry_out()


def _knock(address: str) -> None:
    """OSError, ValueError where nobody listens at ``address``, "host:port": Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()


def _keeper(ray: Any, sweep: Path) -> Any:
    """The actor of this sweep: the one that a client which was killed left, or a new one.

    It is on the cluster's head: with any other node that is lost it would be lost, and all points that are queued.
    """
    name = hashlib.sha256(str(sweep).encode()).hexdigest()[:16]
    options = {
        "num_cpus": 0,
        "resources": {_HEAD: 0.001},
        "lifetime": "detached",
        "get_if_exists": True,
    }
    return ray.remote(Keeper).options(name=name, **options).remote()


def _imported() -> Any:
    try:
        import ray
        import ray.cloudpickle
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    return ray


def _first(error: BaseException) -> str:
    return next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )
