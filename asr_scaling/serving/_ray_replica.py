"""What runs in a replica of Ray Serve."""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
from collections.abc import Sequence
from typing import Any

from asr_scaling.core.ports import Reply
from asr_scaling.core.workload import Utterance
from asr_scaling.machine.memory import release_memory
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving._crew import Crew, InThisProcess
from asr_scaling.serving._queue import Queue, Sharing


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
        model, engine, device = pickle.loads(load)  # of our own process
        engine.check(model)
        device.setup()
        cores = ALL_CORES[rank.local_rank * threads :][:threads]
        if cores:
            os.sched_setaffinity(0, cores)  # for the threads that begin from here on
        self._system: Any = engine.load(model, device)
        release_memory(freeze=True)
        self._crew = Crew([InThisProcess(self._system)], Queue(size, sharing), warm, {})

    async def __call__(self, utterance: Utterance) -> tuple[Reply, int, str]:
        """The reply, the replica's number, and the node whose clock gave the reply its times."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()

        def settle(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        def replied(reply: Reply) -> None:
            loop.call_soon_threadsafe(settle, reply)

        self._crew.submit(utterance, replied)
        return await answer, self._rank, self._node

    def __del__(self) -> None:
        """Ray ends a replica so; what is in progress is answered before."""
        if hasattr(self, "_crew"):
            self._crew.close()
            self._system.close()
