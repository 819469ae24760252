"""First come, first served, one request a call, in the process that measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.ports import Engine, Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.serving._crew import in_this_process
from asr_scaling.serving._queue import Queue, Sharing


@dataclass(frozen=True)
class Direct:
    """First come, first served, one request a call.

    ``queue``: most requests that wait; more are refused at once.
    """

    queue: int = 256

    def __post_init__(self) -> None:
        Queue(self.queue, Sharing())

    def answering(self, engine: Engine) -> Engine:
        """The same."""
        return engine

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """One worker thread, which calls the loaded system."""
        return in_this_process(served.system, self.queue, Sharing(), warm)
