"""A service whose requests are answered elsewhere: a thread waits for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, Protocol

from asr_scaling.core.ports import Reply
from asr_scaling.core.workload import Utterance
from asr_scaling.serving._crew import CLOSED
from asr_scaling.serving._queue import Request


class Asked(Protocol):
    """Whoever answers. Many threads use it at once."""

    def ask(self, utterance: Utterance) -> Reply:
        """The reply, once it is there. Raises nothing."""

    def close(self) -> None:
        """Give all back. May be called twice."""


class Posting:
    """A service that hands requests on, each in a thread of its own, which waits for the reply.

    asked: closed by ``close``.
    threads: requests that are handed on at once, at most.
    queue: further requests that wait here, at most.
    facts: of the service, besides the queue.
    """

    def __init__(self, asked: Asked, threads: int, queue: int, facts: Mapping[str, Any]) -> None:
        self._asked, self._most = asked, threads + queue
        self.facts: Mapping[str, Any] = {**facts, "queue": queue}
        self._room = BoundedSemaphore(self._most)
        self._threads = ThreadPoolExecutor(threads, "serving")

    def submit(self, utterance: Utterance, replied: Callable[[Reply], None]) -> None:
        """Hand it on as soon as a thread is free; refused at once where too many wait."""
        request = Request(utterance, replied)
        if not self._room.acquire(blocking=False):
            request.refuse(self._most)
            return
        try:
            given = self._threads.submit(self._asked.ask, utterance)
        except RuntimeError:  # the threads have ended
            self._room.release()
            request.fail(CLOSED)
            return

        def done(_: object) -> None:
            self._room.release()
            if given.cancelled():
                request.fail(CLOSED)
            else:
                request.reply(given.result())

        given.add_done_callback(done)

    def close(self) -> None:
        """Fail what waits, wait for the last replies, give all back."""
        self._threads.shutdown(cancel_futures=True)
        self._asked.close()
