"""Several processes, each with a system and cores of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.errors import DeviceError
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving._crew import Crew
from asr_scaling.serving._replica import Replica, packed
from asr_scaling.serving._shared_calls import SharedCalls


@dataclass(frozen=True)
class Replicas(SharedCalls):
    """Processes that load the system again; the one that is idle takes the oldest request.

    A request whose process ends meanwhile is tried once more, by another one; a new process is
    started in place of one that ended. Memory is needed for each, besides the system that was
    measured before.

    ``workers``: number of processes.
    ``threads``: of each, as many cores of its own; None for the cores shared out evenly.
    """

    workers: int = 2
    threads: int | None = None

    def __post_init__(self) -> None:
        must_be("serving.workers", self.workers, self.workers >= 1, "at least 1")
        enough = self.threads is None or self.threads >= 1
        must_be("serving.threads", self.threads, enough, "at least 1, or null")
        super().__post_init__()

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """Start all processes at once. Raises DeviceError where there are fewer cores."""
        shares = self._shares()
        load, queue = packed(served, len(shares[0])), self.waiting()
        pinned = shares if ALL_CORES else [()] * self.workers
        facts = {
            "workers": self.workers,
            "threads": len(shares[0]),
            "cores": [list(share) for share in shares] if ALL_CORES else None,
            "queue": self.queue,
            **queue.sharing.facts,
        }
        return Crew([Replica(load, share, queue.wake) for share in pinned], queue, warm, facts)

    def _shares(self) -> list[tuple[int, ...]]:
        """Cores of each process."""
        cores = ALL_CORES or tuple(range(os.cpu_count() or 1))
        each = self.threads or max(1, len(cores) // self.workers)
        if self.workers * each > len(cores):
            raise DeviceError(
                f"serving.workers={self.workers} with threads={each} need {self.workers * each} "
                f"cores, and this process may use {len(cores)}: have fewer of either."
            )
        return [cores[first * each :][:each] for first in range(self.workers)]
