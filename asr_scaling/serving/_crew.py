"""Workers that take requests from one queue, each in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Any, Protocol

from asr_scaling.core.ports import NullProbe, Reply, System, Transcription
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import AsrScalingError, EngineError, one_line
from asr_scaling.serving._queue import Queue, Request, Sharing
from asr_scaling.util.redact import redact

CLOSED = "The service is closed."
_TRIES = 3
"""How often a lost worker is started again in sequence."""


class WorkerLostError(Exception):
    """The worker ended in the middle of a call: another one may do it."""


@dataclass(frozen=True)
class Heard:
    """What a call gave, one entry a request.

    ``audio_s``: seconds of audio that were processed.
    ``turns``, ``languages``: as a Transcription has them; empty where the system does not tell.
    """

    texts: tuple[str, ...]
    audio_s: tuple[float, ...]
    turns: tuple[tuple[Turn, ...], ...] = ()
    languages: tuple[str, ...] = ()

    @classmethod
    def from_call(cls, result: Transcription) -> Heard:
        """What a call of a system gave."""
        return cls(result.texts, result.audio_s, result.turns, result.languages)

    def told(self, place: int) -> dict[str, Any]:
        """Of one request, what a Reply tells."""
        return {
            "text": self.texts[place],
            "audio_s": self.audio_s[place],
            "turns": self.turns[place] if self.turns else (),
            "language": self.languages[place] if self.languages else "",
        }

    def of(self, batch: AudioBatch) -> Heard:
        """The same. Raises EngineError when there is not one text for each of the ``batch``."""
        if not len(self.texts) == len(self.audio_s) == len(batch):
            raise EngineError(f"A call gave {len(self.texts)} texts of {len(batch)} utterances.")
        return self


class Worker(Protocol):
    """One that transcribes. All but ``able`` is called in its own thread."""

    def begin(self) -> None:
        """Make it ready, at first and again after it was lost. Raises EngineError when it can't."""

    def transcribe(self, batch: AudioBatch) -> Heard:
        """One call. Raises WorkerLostError when the worker ended meanwhile."""

    def able(self) -> bool:
        """Whether it can transcribe now."""

    def close(self) -> None:
        """Give everything back."""


class InThisProcess:
    """A worker that calls the loaded system; the system stays its owner's to close."""

    def __init__(self, system: System) -> None:
        self._system = system

    def begin(self) -> None:
        """The system is loaded already."""

    def transcribe(self, batch: AudioBatch) -> Heard:
        """One call of the system."""
        return Heard.from_call(self._system.transcribe(batch, NullProbe()))

    def able(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Nothing of its own."""


class Crew:
    """A service of workers that share one queue; each transcribes ``warm`` before it takes any.

    facts: of the service.
    Raises AsrScalingError when one of the workers can't begin.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        queue: Queue,
        warm: Sequence[Utterance],
        facts: Mapping[str, Any],
    ) -> None:
        self._queue, self._warm = queue, warm
        self._facts = facts
        self._restarts, self._lost = 0, set[int]()
        ready = [Future[None]() for _ in workers]
        self._threads = [
            Thread(target=self._run, args=(i, workers[i], ready[i]), name=f"serving-{i}")
            for i in range(len(workers))
        ]
        try:
            for thread in self._threads:
                thread.daemon = True
                thread.start()
            for one in ready:
                one.result()
        except BaseException:
            self.close()
            raise

    @property
    def facts(self) -> Mapping[str, Any]:
        """How it was set up, and how often a lost worker was started again."""
        return {**self._facts, "restarts": self._restarts, "workers_lost": len(self._lost)}

    def submit(self, utterance: Utterance, replied: Callable[[Reply], None]) -> None:
        """Let it wait for a worker; refused at once where too many wait."""
        self._queue.put(Request(utterance, replied))

    def close(self) -> None:
        """Fail what waits, wait for the calls in progress, end the workers."""
        self._queue.close(CLOSED)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self, number: int, worker: Worker, ready: Future[None]) -> None:
        """What a thread does: here, since torch has a team of threads for every thread."""
        try:
            self._begin(worker)
        except BaseException as error:
            worker.close()
            ready.set_exception(error)
            return
        ready.set_result(None)
        calls = 0
        while not self._queue.closed:
            if not worker.able() and not self._renew(number, worker):
                break
            group = self._queue.take(worker.able)
            if group:
                self._answer(worker, group, number, calls)
                calls += 1
        worker.close()

    def _begin(self, worker: Worker) -> None:
        worker.begin()
        try:
            for group in self._queue.sharing.warm(self._warm):
                worker.transcribe(AudioBatch(group))
        except AsrScalingError:
            raise
        except Exception as error:
            raise EngineError(f"The service could not be warmed up: {failure(error)}") from error

    def _renew(self, number: int, worker: Worker) -> bool:
        """Whether a worker that was lost goes on; without any, nothing can be answered."""
        reason = ""
        for _ in range(_TRIES):
            if self._queue.closed:
                return False
            try:
                self._begin(worker)
            except BaseException as error:
                reason = failure(error)
                continue
            self._restarts += 1
            return True
        self._lost.add(number)
        if len(self._lost) == len(self._threads):
            self._queue.close(f"No worker is left: {reason}")
        return False

    def _answer(self, worker: Worker, group: Sequence[Request], number: int, call: int) -> None:
        batch = AudioBatch(tuple(request.utterance for request in group))
        begun_s = time.monotonic()
        heard: Heard | str
        try:
            heard = worker.transcribe(batch).of(batch)
        except WorkerLostError as error:
            self._queue.back([request for request in group if not request.tried])
            group = [request for request in group if request.tried]
            heard = f"Two workers were lost while they transcribed it: {error}"
        except BaseException as error:  # SystemExit too: the thread must go on
            heard = failure(error)
        done_s = time.monotonic()
        told: dict[str, Any] = {"worker": number, "call": call, "shared": len(batch)}
        for place, request in enumerate(group):
            if isinstance(heard, str):
                request.reply(Reply("failed", done_s, begun_s, reason=heard, **told))
            else:
                request.reply(Reply("ok", done_s, begun_s, **heard.told(place), **told))


def failure(error: BaseException) -> str:
    """One sentence of why a call failed."""
    if isinstance(error, AsrScalingError):
        return str(error)
    return one_line(redact(f"{type(error).__name__}: {error}".removesuffix(": ")))


def in_this_process(
    system: System, queue: int, sharing: Sharing, warm: Sequence[Utterance]
) -> Crew:
    """A service of one thread that calls ``system``.

    queue: most requests that wait.
    Raises AsrScalingError when ``warm`` can't be transcribed.
    """
    facts = {"workers": 1, "queue": queue, **sharing.facts}
    return Crew([InThisProcess(system)], Queue(queue, sharing), warm, facts)
