"""Services for tests of loads: in virtual time, exact; and in real time, threads that sleep."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from random import Random
from threading import Thread
from typing import Any, Self

from asr_scaling.core.ports import Reply, Served, Session
from asr_scaling.core.workload import Utterance
from support.fakes import FakeClock, ScriptedSystem, make_session, utterances

SPEECH = utterances([1.0, 2.0, 3.0])
Replied = Callable[[Reply], None]


class VirtualFirings:
    """A generator that sets the clock instead of waiting for it.

    late: number of a request → seconds that it is sent too late.
    until: requests that are fired before the generator is lost; None for all.
    """

    scheduling = "virtual"

    def __init__(
        self,
        clock: FakeClock,
        late: Callable[[int], float] = lambda number: 0.0,
        until: int | None = None,
    ) -> None:
        self.clock, self.late, self.until = clock, late, until

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return

    def stop(self) -> None:
        return

    def fired(self, due_s: Sequence[float]) -> Iterator[tuple[int, float]]:
        for number, due in enumerate(due_s[: self.until]):
            fired = due + self.late(number)
            self.clock.ns = max(self.clock.ns, round(fired * 1e9))
            yield number, fired


class VirtualService:
    """A queue and its workers in virtual time: what is submitted has its reply at once, whose times
    lie in the future.

    service_s: number of a request → seconds of its call.
    stall: beginning and seconds of a time in which no call begins.
    waits: the clock goes on to the end of a call, as it does for a single client that waits.
    """

    facts: Mapping[str, Any] = {"workers": 1}

    def __init__(
        self,
        clock: FakeClock,
        service_s: Callable[[int], float],
        workers: int = 1,
        stall: tuple[float, float] | None = None,
        waits: bool = False,
    ) -> None:
        self.clock, self.service_s = clock, service_s
        self.free_s = [0.0] * workers
        self.stall, self.waits = stall, waits
        self.calls = self.closed = 0

    def submit(self, utterance: Utterance, replied: Replied) -> None:
        worker = min(range(len(self.free_s)), key=self.free_s.__getitem__)
        begun = max(self.clock.perf_counter(), self.free_s[worker])
        if self.stall is not None and self.stall[0] <= begun < sum(self.stall):
            begun = sum(self.stall)
        done = self.free_s[worker] = begun + self.service_s(self.calls)
        if self.waits:
            self.clock.ns = round(done * 1e9)
        text, call = utterance.reference, self.calls
        self.calls += 1
        replied(Reply("ok", done, begun, text, worker=worker, call=call, shared=1))

    def close(self) -> None:
        self.closed += 1


def exponential(mean_s: float, seed: int) -> Callable[[int], float]:
    """Service times of an M/M/c queue."""
    random = Random(seed)
    return lambda number: random.expovariate(1 / mean_s)


class SleepingService:
    """A worker thread that sleeps for each request, in the order in which they came.

    service_s: seconds of a call.
    stall: seconds from the first request on, and how long the service stands still then.
    answer: number of a call and an utterance → its text, a reply, or None for no reply at all.
    """

    def __init__(
        self,
        service_s: float,
        stall: tuple[float, float] | None = None,
        answer: Callable[[int, Utterance], Any] = lambda number, utterance: utterance.reference,
    ) -> None:
        self.facts: Mapping[str, Any] = {"workers": 1}
        self.service_s, self.stall, self.answer = service_s, stall, answer
        self.queue: SimpleQueue[tuple[Utterance, Replied] | None] = SimpleQueue()
        self.began_s: float | None = None
        self.closed = 0
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def submit(self, utterance: Utterance, replied: Replied) -> None:
        self.began_s = self.began_s or time.monotonic()
        self.queue.put((utterance, replied))

    def close(self) -> None:
        self.closed += 1
        self.queue.put(None)
        self.thread.join()

    def _run(self) -> None:
        number = 0
        while (work := self.queue.get()) is not None:
            utterance, replied = work
            begun = time.monotonic()
            if self.stall is not None and begun - (self.began_s or begun) >= self.stall[0]:
                time.sleep(self.stall[1])
                self.stall = None
            time.sleep(self.service_s)
            answer = self.answer(number, utterance)
            if isinstance(answer, str):
                answer = Reply("ok", time.monotonic(), begun, answer, call=number, shared=1)
            number += 1
            if answer is not None:
                replied(answer)


class ServingOf:
    """A serving that starts what a test made.

    made: makes the service.
    """

    def __init__(self, made: Callable[[], Any]) -> None:
        self.made, self.services = made, list[Any]()
        self.warm: Sequence[Utterance] = ()

    def answering(self, engine: Any) -> Any:
        return engine

    def start(self, served: Served, warm: Sequence[Utterance]) -> Any:
        self.warm = warm
        self.services.append(self.made())
        return self.services[-1]


def session_of(folder: Path, service: Any, **changes: Any) -> tuple[Session, ServingOf]:
    """A session whose service is the given one, which a scenario starts."""
    serving = ServingOf(lambda: service)
    texts = {u.id: u.reference for u in SPEECH}
    options = {"folder": folder, "serving": serving, "engine": object(), "hypotheses": texts}
    system = ScriptedSystem(lambda batch, probe: None)
    return make_session(system, SPEECH, **(options | changes)), serving
