"""Requests that wait share a call, up to so many, or so many seconds of audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.ports import Engine, Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.serving._crew import in_this_process
from asr_scaling.serving._queue import Queue, Sharing


@dataclass(frozen=True)
class Batched:
    """One worker thread in the process that measures; requests share calls.

    ``max_batch``: most requests of a call.
    ``max_audio_s``: most seconds of audio of a call, padding counted (the longest × requests), as
    FunASR's batch_size_s; what is longer alone has a call alone. None for no limit.
    ``max_wait_s``: how long the oldest waits for others before its call begins; while a call is in
    progress others come anyway.
    ``alike``: the oldest is joined by those most like it in length, instead of those that came
    next. The oldest that waits is always in the next call, so nobody is overtaken for ever.
    ``queue``: most requests that wait; more are refused at once.
    """

    max_batch: int = 8
    max_audio_s: float | None = None
    max_wait_s: float = 0.0
    alike: bool = False
    queue: int = 256

    def __post_init__(self) -> None:
        Queue(self.queue, self._sharing())

    def _sharing(self) -> Sharing:
        return Sharing(self.max_batch, self.max_audio_s, self.max_wait_s, self.alike)

    def answering(self, engine: Engine) -> Engine:
        """The same."""
        return engine

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """One worker thread, which calls the loaded system."""
        return in_this_process(served.system, self.queue, self._sharing(), warm)
