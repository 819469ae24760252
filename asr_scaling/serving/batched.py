"""Requests that wait share a call, up to so many, or so many seconds of audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.ports import Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.serving._crew import in_this_process
from asr_scaling.serving._shared_calls import SharedCalls


@dataclass(frozen=True)
class Batched(SharedCalls):
    """One worker thread in the process that measures; requests share calls."""

    max_batch: int = 8

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """One worker thread, which calls the loaded system."""
        return in_this_process(served.system, self.queue, self.sharing, warm)
