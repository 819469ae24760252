"""What runs in a replica of Ray Serve."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from functools import partial

from asr_scaling.core.awaited_reply import awaited_reply
from asr_scaling.core.ports import Reply
from asr_scaling.core.workload import Utterance
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving._crew import Crew, InThisProcess
from asr_scaling.serving._queue import Queue, Sharing
from asr_scaling.serving._replica_process import unpacked


class Replica:
    """A system that Ray Serve calls, on cores of its own.

    Calls are formed here as ``serving=batched`` forms them, in a thread, so that the replica still
    answers Ray while it transcribes.

    load: from ``_replica.packed``.
    threads: cores that it stays on.
    size: most requests that wait here.
    """

    def __init__(
        self, load: bytes, threads: int, sharing: Sharing, size: int, warm: Sequence[Utterance]
    ) -> None:
        ray = importlib.import_module("ray")
        rank = importlib.import_module("ray.serve").get_replica_context().rank
        self._rank, self._node = rank.rank, ray.get_runtime_context().get_node_id()
        cores = ALL_CORES[rank.local_rank * threads :][:threads]
        pin = partial(os.sched_setaffinity, 0, cores)
        self._system = unpacked(load, pin) if cores else unpacked(load)
        self._crew = Crew([InThisProcess(self._system)], Queue(size, sharing), warm, {})

    async def __call__(self, utterance: Utterance) -> tuple[Reply, int, str]:
        """The reply, the replica's number, and the node whose clock gave the reply its times."""
        return await awaited_reply(self._crew, utterance), self._rank, self._node

    def __del__(self) -> None:
        """Ray ends a replica so; what is in progress is answered before."""
        if hasattr(self, "_crew"):
            self._crew.close()
            self._system.close()
