"""The options of services in which requests that wait share calls."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Engine
from asr_scaling.serving._queue import Queue, Sharing


@dataclass(frozen=True)
class SharedCalls:
    """Which requests share a call, and how many may wait.

    ``max_batch``: most requests of a call.
    ``max_audio_s``: most seconds of audio of a call, padding counted (the longest × requests), as
    FunASR's batch_size_s; what is longer alone has a call alone. None for no limit.
    ``max_wait_s``: how long the oldest waits for others before its call begins; while a call is in
    progress others come anyway.
    ``alike``: the oldest is joined by those most like it in length, instead of those that came
    next. The oldest that waits is always in the next call, so nobody is overtaken for ever.
    ``queue``: most requests that wait; more are refused at once.
    """

    max_batch: int = 1
    max_audio_s: float | None = None
    max_wait_s: float = 0.0
    alike: bool = False
    queue: int = 256

    def __post_init__(self) -> None:
        self.waiting()

    @property
    def sharing(self) -> Sharing:
        """Which requests share a call. Raises ConfigError when a limit makes no sense."""
        return Sharing(self.max_batch, self.max_audio_s, self.max_wait_s, self.alike)

    def waiting(self) -> Queue:
        """A queue of its own. Raises ConfigError as ``sharing``, and for a size below 1."""
        return Queue(self.queue, self.sharing)

    def answering(self, engine: Engine) -> Engine:
        """The same."""
        return engine
