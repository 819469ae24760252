"""Requests that wait for a worker, and which of them share a call."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from threading import Condition
from typing import Any

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Reply
from asr_scaling.core.workload import Utterance

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """An utterance that somebody waits for.

    ``replied``: takes the reply.
    ``came_s``: when it came, seconds of ``time.monotonic``.
    ``tried``: a worker was lost while it transcribed this; then it gets a call of its own, so that
    it can't take others with it again.
    """

    utterance: Utterance
    replied: Callable[[Reply], None]
    came_s: float = field(default_factory=time.monotonic)
    tried: bool = False

    def reply(self, reply: Reply) -> None:
        """Hand the reply over. What the receiver raises is logged and goes no further."""
        try:
            self.replied(reply)
        except Exception:
            _log.exception("What takes the replies of requests failed.")

    def fail(self, reason: str) -> None:
        """There is no text, and this is why."""
        self.reply(Reply("failed", time.monotonic(), reason=reason))

    def refuse(self, waiting: int) -> None:
        """So many wait already."""
        reason = f"{waiting} requests wait already."
        self.reply(Reply("refused", time.monotonic(), reason=reason))


@dataclass(frozen=True)
class Sharing:
    """Which requests share a call.

    ``max_batch``: most requests of a call.
    ``max_audio_s``: most seconds of audio of a call, padding counted (longest × requests); what is
    longer alone has a call alone. None for no limit.
    ``max_wait_s``: how long the oldest waits for others before its call begins.
    ``alike``: the oldest is joined by those most like it in length, instead of those that came
    next.
    """

    max_batch: int = 1
    max_audio_s: float | None = None
    max_wait_s: float = 0.0
    alike: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError when a limit makes no sense."""
        audio_s = self.max_audio_s
        must_be("serving.max_batch", self.max_batch, self.max_batch >= 1, "at least 1")
        must_be("serving.max_wait_s", self.max_wait_s, self.max_wait_s >= 0, "0 or more")
        above = audio_s is None or audio_s > 0
        must_be("serving.max_audio_s", audio_s, above, "above 0, or null for no limit")

    def group(self, waiting: Sequence[Request]) -> list[Request]:
        """The oldest, and those that share its call.

        waiting: in the order in which they came, not empty.
        """
        oldest = waiting[0]
        if oldest.tried or self.max_batch == 1:
            return [oldest]
        length, others = oldest.utterance.duration_s, list(waiting)[1:]
        if self.alike:
            others.sort(key=lambda request: abs(request.utterance.duration_s - length))
        group, longest = [oldest], length
        for request in others:
            longest = max(longest, request.utterance.duration_s)
            if len(group) == self.max_batch or self._exceeds(longest * (len(group) + 1)):
                break
            group.append(request)
        return group

    def warm(self, utterances: Sequence[Utterance]) -> list[tuple[Utterance, ...]]:
        """Calls that warm up: each of ``utterances`` alone, then those that share one."""
        calls = [(utterance,) for utterance in utterances]
        requests = [Request(utterance, lambda reply: None) for utterance in utterances]
        together = self.group(requests) if requests else []
        more = [tuple(request.utterance for request in together)] if len(together) > 1 else []
        return [*calls, *more]

    @property
    def facts(self) -> dict[str, Any]:
        """In types that JSON has."""
        return asdict(self)

    def _exceeds(self, padded_s: float) -> bool:
        return self.max_audio_s is not None and padded_s > self.max_audio_s

    def complete(self, group: Sequence[Request], waiting: int) -> bool:
        """Whether a call of ``group`` need not wait for others.

        waiting: how many wait in all; where some of them are not in the group, they did not fit.
        """
        if group[0].tried or len(group) == self.max_batch or len(group) < waiting:
            return True
        longest = max(request.utterance.duration_s for request in group)
        return self._exceeds(longest * len(group))


class Queue:
    """First come, first served; at most ``size`` requests wait.

    Who puts never waits; workers wait in ``take``.
    """

    def __init__(self, size: int, sharing: Sharing) -> None:
        must_be("serving.queue", size, size >= 1, "at least 1")
        self._size, self.sharing = size, sharing
        self._changed = Condition()
        self._waiting: deque[Request] = deque()
        self._closed = ""

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more."""
        return bool(self._closed)

    def put(self, request: Request) -> None:
        """Let it wait; where it can't, it has its reply when this returns."""
        with self._changed:
            closed, full = self._closed, len(self._waiting) >= self._size
            if not closed and not full:
                self._waiting.append(request)
                self._changed.notify()
                return
        if closed:
            request.fail(closed)
        else:
            request.refuse(self._size)

    def back(self, group: Sequence[Request]) -> None:
        """Put requests whose worker was lost before all that wait, however many these are."""
        again = [replace(request, tried=True) for request in group]
        with self._changed:
            closed = self._closed
            if not closed:
                self._waiting.extendleft(reversed(again))
                self._changed.notify_all()
        if closed:
            for request in again:
                request.fail(closed)

    def take(self, able: Callable[[], bool] = lambda: True) -> list[Request]:
        """The requests of the next call, once there are some.

        Empty once the queue is closed, or the worker that asks is no longer ``able``.
        """
        with self._changed:
            while not self._closed and able():
                if not self._waiting:
                    self._changed.wait()
                    continue
                group = self.sharing.group(self._waiting)
                left_s = group[0].came_s + self.sharing.max_wait_s - time.monotonic()
                if left_s > 0 and not self.sharing.complete(group, len(self._waiting)):
                    self._changed.wait(left_s)
                    continue
                self._remove(group)
                self._changed.notify()
                return group
            self._changed.notify()
        return []

    def _remove(self, group: Sequence[Request]) -> None:
        taken = set(map(id, group))
        self._waiting = deque(one for one in self._waiting if id(one) not in taken)

    def wake(self) -> None:
        """Let every worker that waits look whether it is able."""
        with self._changed:
            self._changed.notify_all()

    def close(self, reason: str) -> None:
        """What waits fails for the ``reason``, and so does whatever comes. May be called twice."""
        with self._changed:
            self._closed = self._closed or reason
            left, self._waiting = self._waiting, deque()
            self._changed.notify_all()
        for request in left:
            request.fail(reason)
