"""Requests of a schedule are sent to a service, and what each of them got is written down."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue

from asr_scaling.core.ports import Reply, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.load.arrivals import Schedule
from asr_scaling.load.generator import Fired, Firings, Generator
from asr_scaling.load.generator_process import PRIORITY

_LEAD_S = 0.05
"""Seconds from when the generator is ready to the start of the schedule."""
_LOOK_S = 0.2
"""Seconds between two looks at the clock while nothing arrives."""


@dataclass(frozen=True)
class Limits:
    """When waiting ends.

    timeout_s: a request without an answer so long after it was due has timed out.
    give_up_s: nothing more is sent once a request has waited so long.
    send_s: nothing more is sent so long after the start.
    """

    timeout_s: float = 60.0
    give_up_s: float = math.inf
    send_s: float = math.inf


@dataclass
class Request:
    """What became of one request; times are those of ``time.monotonic``, in seconds.

    number: its place in the schedule, from 0.
    due_s: when it was to be sent; when it was sent, where clients wait for answers.
    fired_s: when the generator sent it.
    submitted_s: when the service was given it.
    reply: what it got; None where nothing came.
    timed_out: whether nothing had come in time; a reply then came too late.
    """

    number: int
    utterance: Utterance
    due_s: float
    fired_s: float
    submitted_s: float
    reply: Reply | None = None
    timed_out: bool = False

    @property
    def status(self) -> str:
        """As in ``ReplyStatus``."""
        return "timed_out" if self.timed_out or self.reply is None else self.reply.status

    @property
    def answered(self) -> bool:
        """Whether it got a text in time."""
        return self.status == "ok"

    @property
    def latency_s(self) -> float:
        """Seconds from when it was due to its text; infinite without one in time."""
        if self.reply is None or not self.answered:
            return math.inf
        return self.reply.done_s - self.due_s


@dataclass(frozen=True)
class Driven:
    """One load.

    start_s: when the schedule began, on the clock of ``time.monotonic``.
    end_s: when the last request had its answer or had timed out.
    requests: those that were sent, in the order of the schedule.
    unsent: how many of the schedule were not.
    why_unsent: one sentence; empty where all were sent or time was up as asked.
    unanswered: requests without any reply at the end, which the service may still be busy with.
    twice: replies to requests that had one already.
    scheduling: how the generator was scheduled; empty without one.
    generator_lost: whether the generator ended before its schedule.
    """

    schedule: Schedule
    start_s: float
    end_s: float
    requests: tuple[Request, ...]
    unsent: int = 0
    why_unsent: str = ""
    unanswered: int = 0
    twice: int = 0
    scheduling: str = ""
    generator_lost: bool = False


def drive(
    service: Service,
    schedule: Schedule,
    limits: Limits,
    told: Callable[[float], None] = lambda share: None,
    *,
    generator: Callable[[], Firings] = Generator,
    clock: Callable[[], float] = time.monotonic,
) -> Driven:
    """Send every request of ``schedule`` when it is due; returns once each has ended.

    Latency counts from the due time, so that a request which could not be sent in time, because the
    service or the machine stood still, has waited since then (no coordinated omission: G. Tene, How
    not to measure latency, 2013).

    told: is told the share of the requests that have ended, a few times a second.
    """
    load = _Load(service, schedule, limits, told, clock)
    if schedule.arrivals == "closed":
        return load.closed()
    with generator() as firings:
        return load.opened(firings)


@dataclass
class _Load:
    """A load while it runs. The calling thread alone changes what has ended."""

    service: Service
    schedule: Schedule
    limits: Limits
    told: Callable[[float], None]
    clock: Callable[[], float]
    start_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    waiting: dict[int, Request] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    inbox: SimpleQueue[Request | tuple[int, Reply] | None] = field(default_factory=SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)
    halt: Callable[[], None] = lambda: None
    sending: bool = True
    why_unsent: str = ""
    twice: int = 0

    def opened(self, firings: Firings) -> Driven:
        self.start_s = self.clock() + _LEAD_S
        due_s = [self.start_s + due for due in self.schedule.due_s]
        fired = firings.fired(due_s)
        self.halt = firings.stop
        sender = threading.Thread(target=self._send_fired, args=(due_s, fired), name="requests")
        sender.start()
        try:
            self._until_all_ended()
        finally:
            self.stop.set()
            firings.stop()
            sender.join()
        lost = len(self.requests) < len(due_s) and not self.why_unsent
        return self._driven(firings.scheduling, lost)

    def closed(self) -> Driven:
        self.start_s = self.clock()
        for _ in range(self.schedule.clients or 1):
            self._send_next()
        self._until_all_ended()
        return self._driven("", False)

    def _driven(self, scheduling: str, lost: bool) -> Driven:
        return Driven(
            self.schedule,
            self.start_s,
            self.clock(),
            tuple(self.requests),
            len(self.schedule.utterances) - len(self.requests),
            self.why_unsent,
            len(self.late),
            self.twice,
            scheduling,
            lost,
        )

    def _send_fired(self, due_s: list[float], fired: Iterable[Fired]) -> None:
        """The sender's thread: hands over each request as soon as it is fired."""
        _go_first()
        try:
            for number, fired_s in fired:
                if self.stop.is_set():
                    return
                utterance = self.schedule.utterances[number]
                request = Request(number, utterance, due_s[number], fired_s, self.clock())
                self.inbox.put(request)
                self._submit(request)
        finally:
            self.inbox.put(None)

    def _send_next(self) -> None:
        """The next request of a client that waits for its answers."""
        number, now = len(self.requests), self.clock()
        if number == len(self.schedule.utterances) or now - self.start_s >= self.limits.send_s:
            self.sending = False
        else:
            request = Request(number, self.schedule.utterances[number], now, now, now)
            self._take(request)
            self._submit(request)

    def _submit(self, request: Request) -> None:
        replied = partial(self._replied, request.number)
        try:
            self.service.submit(request.utterance, replied)
        except Exception as error:
            reason = f"the service did not take it: {type(error).__name__}: {error}"
            replied(Reply("failed", self.clock(), reason=reason))

    def _replied(self, number: int, reply: object) -> None:
        if not isinstance(reply, Reply):
            told = type(reply).__name__
            reply = Reply("failed", self.clock(), reason=f"the service's reply was a {told}")
        self.inbox.put((number, reply))

    def _until_all_ended(self) -> None:
        told_s = self.clock()
        while self.sending or self.waiting:
            with suppress(Empty):
                self._take(self.inbox.get(timeout=self._patience_s()))
            if self.inbox.empty():  # a reply that has come is no time-out
                self._look()
            if (now := self.clock()) - told_s > _LOOK_S:
                told_s = now
                ended = len(self.requests) - len(self.waiting)
                self.told(ended / max(1, len(self.schedule.utterances)))

    def _patience_s(self) -> float:
        oldest = next(iter(self.waiting.values()), None)
        left_s = math.inf if oldest is None else self.limits.timeout_s + oldest.due_s - self.clock()
        return max(0.0, min(_LOOK_S, left_s))

    def _take(self, message: Request | tuple[int, Reply] | None) -> None:
        if message is None:
            self.sending = False
        elif isinstance(message, Request):
            self.requests.append(message)
            self.waiting[message.number] = message
        else:
            self._end(*message)

    def _end(self, number: int, reply: Reply) -> None:
        request = self.requests[number]
        if request.reply is not None:
            self.twice += 1
            return
        request.reply = reply
        request.timed_out = reply.done_s - request.due_s > self.limits.timeout_s
        self.late.discard(number)
        if self.waiting.pop(number, None) is not None:
            self._freed()

    def _look(self) -> None:
        """Time-outs, and a backlog that makes no sense to add to."""
        now = self.clock()
        while oldest := next(iter(self.waiting.values()), None):
            waited_s = now - oldest.due_s
            if waited_s > self.limits.give_up_s and self.sending and not self.stop.is_set():
                self.stop.set()
                self.halt()
                self.why_unsent = (
                    f"sending ended early: a request had waited {waited_s:.3g} s, and "
                    f"{len(self.waiting)} waited in all"
                )
            if waited_s <= self.limits.timeout_s:
                return
            del self.waiting[oldest.number]
            self.late.add(oldest.number)
            oldest.timed_out = True
            self._freed()

    def _freed(self) -> None:
        """A client that waits for its answers has none to wait for."""
        if self.schedule.clients is not None:
            self._send_next()


def _go_first() -> None:
    """Have the calling thread scheduled as the generator is, where that is allowed (Linux).

    It only hands requests over. What it starts is scheduled as everything else.
    """
    if hasattr(os, "SCHED_RESET_ON_FORK"):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        with suppress(OSError):
            os.sched_setscheduler(threading.get_native_id(), policy, os.sched_param(PRIORITY))
