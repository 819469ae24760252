"""Ray and Ray Serve from the side of the process that measures."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any
from uuid import uuid4

from asr_scaling.core.option_checks import imported
from asr_scaling.core.ports import Reply
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import EngineError
from asr_scaling.machine.fresh_process import environment
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving._crew import failure
from asr_scaling.serving._queue import Sharing
from asr_scaling.serving._ray_replica import Replica
from asr_scaling.serving._replica import Sent

_EXTRA = "ray_serve"
_STORE_BYTES = 2**28
_KEPT_BYTES = 2**27
"""Audio that stays in Ray's store, so that it need not be sent again."""
_ENDED = "Two replicas were lost while they transcribed it."


def check_installed() -> None:
    """Raises MissingExtraError without Ray Serve."""
    imported("ray", _EXTRA)
    imported("ray.serve", _EXTRA)


class RayClient:
    """An application of Ray Serve, started here, and asked.

    address: of a cluster; None for the one that this process is part of or that $RAY_ADDRESS names,
        else one is started for as long as this is open.
    ongoing: requests that a replica has at once, at most.
    arguments: of ``Replica``.
    Raises EngineError when it can't be started.
    """

    def __init__(
        self,
        address: str | None,
        workers: int,
        threads: int,
        ongoing: int,
        arguments: tuple[bytes, int, Sharing, int, Sequence[Utterance]],
    ) -> None:
        self._ray, self._serve = imported("ray", _EXTRA), imported("ray.serve", _EXTRA)
        self._lock, self._open = Lock(), True
        self._sent, self._refs = Sent(_KEPT_BYTES), dict[int, Any]()
        self._name = f"asr_scaling-{uuid4().hex[:8]}"
        self._own = not self._ray.is_initialized()
        try:
            if self._own:
                self._connect(address)
            self._room_for(workers, threads)
            deployment = self._serve.deployment(
                name="asr",
                num_replicas=workers,
                max_ongoing_requests=ongoing,
                ray_actor_options={"num_cpus": threads},
            )(Replica)
            logging.getLogger("ray.serve").setLevel(logging.WARNING)
            self._serve.start(proxy_location="Disabled", logging_config={"log_level": "WARNING"})
            self._handle = self._serve.run(
                deployment.bind(*arguments), name=self._name, route_prefix=None
            )
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise EngineError(f"Ray Serve could not be started: {failure(error)}") from error
        self._node = self._ray.get_runtime_context().get_node_id()

    def _connect(self, address: str | None) -> None:
        """Join the cluster, or start one."""
        found = address or os.environ.get("RAY_ADDRESS")
        options: dict[str, Any] = {"address": found} if found else {}
        if not found:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            os.environ.setdefault("RAY_worker_niceness", "0")
            options = {
                "address": "local",
                "num_cpus": len(ALL_CORES) or os.cpu_count(),
                "object_store_memory": _STORE_BYTES,
                "include_dashboard": False,
                "runtime_env": {"env_vars": {"PYTHONPATH": environment()["PYTHONPATH"]}},
            }
        self._ray.init(log_to_driver=False, logging_level="error", **options)

    def _room_for(self, workers: int, threads: int) -> None:
        """Raises EngineError where the cluster has too few cores, since Ray would wait for ever."""
        free = self._ray.available_resources().get("CPU", 0.0)
        if workers * threads > free:
            raise EngineError(
                f"serving.workers={workers} with threads={threads} need {workers * threads} cores, "
                f"and {free:g} of Ray's cluster are free: have fewer of either."
            )

    def ask(self, utterance: Utterance) -> Reply:
        """What a replica answers; once more where the replica was lost meanwhile."""
        for _ in range(2):
            with suppress(self._ray.exceptions.RayActorError):
                return self._asked(utterance)
        return Reply("failed", time.monotonic(), reason=_ENDED)

    def _asked(self, utterance: Utterance) -> Reply:
        """Raises RayActorError when the replica was lost."""
        reply: Reply
        try:
            reply, rank, node = self._handle.remote(self._stored(utterance)).result()
        except self._ray.exceptions.RayActorError:
            raise
        except Exception as error:
            return Reply("failed", time.monotonic(), reason=failure(error))
        begun_s = reply.begun_s if node == self._node else None  # else it is another clock's
        return replace(reply, done_s=time.monotonic(), begun_s=begun_s, worker=rank)

    def _stored(self, utterance: Utterance) -> Any:
        """The utterance in Ray's store."""
        with self._lock:
            asked = self._sent.ask(AudioBatch((utterance,)))
            for key in asked.dropped:
                del self._refs[key]
            for key, new in asked.new.items():
                self._refs[key] = self._ray.put(new)
            return self._refs[asked.wanted[0]]

    def close(self) -> None:
        """End the application, then a cluster that was started for it.

        Serve itself stays on a cluster that was found.
        """
        if not self._open:
            return
        self._open = False
        with suppress(Exception):  # nothing was started, or the cluster is gone
            self._serve.delete(self._name)
        if self._own:
            self._ray.shutdown()
        self._refs.clear()
