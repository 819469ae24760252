"""A worker that is a process of its own, with cores of its own."""

from __future__ import annotations

import pickle
import signal
import socket
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from multiprocessing.connection import Connection
from threading import Thread
from typing import IO, Any, cast

from asr_scaling.core.ports import Served
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import EngineError, OutOfMemoryError, one_line
from asr_scaling.machine.fresh_process import environment
from asr_scaling.serving._crew import Heard, WorkerLostError
from asr_scaling.serving._replica_process import Answer, Ask
from asr_scaling.util.redact import redact

_KEPT_BYTES = 2**28
"""Audio that a process keeps, so that it need not be sent again."""
_END_S = 10.0
"""Seconds that a process has to give its memory back."""
_CHILD = "from asr_scaling.serving._replica_process import work; work()"


def packed(served: Served, threads: int) -> bytes:
    """What another process loads the system from, on a device of so many threads if it has any.

    Raises EngineError when it can't be sent.
    """
    device: Any = served.device
    if is_dataclass(device) and "threads" in {option.name for option in fields(device)}:
        device = replace(cast(Any, device), threads=threads)
    try:
        return pickle.dumps((served.model, served.engine, device))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise EngineError(
            f"This system can't be handed to another process ({error}): define its parts at the "
            "top of a module, or use serving=direct."
        ) from error


class Replica:
    """A process that loads a system of its own.

    It is started, not forked, since neither torch nor OpenMP survives a fork; it ends by itself
    when this process does.

    load: from ``packed``.
    cores: that it stays on; empty for wherever the system puts it.
    wake: called, on any thread, when it has ended.
    """

    def __init__(self, load: bytes, cores: Sequence[int], wake: Callable[[], None]) -> None:
        self._load, self._wake = load, wake
        pin = f"import os; os.sched_setaffinity(0, {list(cores)}); " if cores else ""
        self._code = pin + _CHILD
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._connection: Connection | None = None
        self._sent = Sent()

    def begin(self) -> None:
        """Start it and let it load. Raises EngineError or OutOfMemoryError when it can't."""
        self._end()
        mine, other = socket.socketpair()
        self._said.seek(0)
        self._said.truncate()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", self._code, str(other.fileno())],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[other.fileno()],
                start_new_session=True,  # Ctrl-C at a terminal is for this process alone
            )
        self._sent = Sent()
        self._connection = Connection(mine.detach())
        Thread(target=self._watch, args=(self._process,), daemon=True).start()
        try:
            self._connection.send_bytes(self._load)
            _checked(self._connection.recv())
        except (EOFError, OSError) as error:
            how = self._ended()
            by_kernel = self._process.returncode == -signal.SIGKILL  # where memory gets short
            kind = OutOfMemoryError if by_kernel else EngineError
            raise kind(f"A worker could not be started: {how}.") from error

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._wake()

    def transcribe(self, batch: AudioBatch) -> Heard:
        """One call in the process."""
        if self._connection is None:
            raise WorkerLostError("it has ended")
        try:
            self._connection.send(self._sent.ask(batch))
            answer = _checked(self._connection.recv())
        except (EOFError, OSError) as error:
            raise WorkerLostError(self._ended()) from error
        return answer.heard

    def able(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Number of the process; None before it was started."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process."""
        self._end()
        self._said.close()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
            self._process.kill()
            self._process.wait()

    def _ended(self) -> str:
        """How a process ended that does not answer any more."""
        assert self._process is not None
        self._process.kill()  # one that closed its connection and lives on is of no use
        status = self._process.wait()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        self._said.seek(0)
        lines = self._said.read()[-4096:].decode(errors="replace").split("\n")
        last = [line for line in lines if line.strip()][-1:] or ["it said nothing"]
        return f"the worker's process ended with {how} ({one_line(redact(last[0]))})"


class Sent:
    """Which utterances a process has, so that audio travels once and not for every request."""

    def __init__(self, most_bytes: int = _KEPT_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._there: OrderedDict[int, Utterance] = OrderedDict()

    def ask(self, batch: AudioBatch) -> Ask:
        """What to send for a call of ``batch``; what was called longest ago is dropped first."""
        wanted = {id(one): one for one in batch.utterances}  # alike only while it is kept here
        new = {key: one for key, one in wanted.items() if key not in self._there}
        self._there |= wanted
        self._bytes += sum(one.audio.nbytes for one in new.values())
        for key in wanted:
            self._there.move_to_end(key)
        dropped: list[int] = []
        while self._bytes > self._most and len(self._there) > len(wanted):
            key, one = self._there.popitem(last=False)
            self._bytes -= one.audio.nbytes
            dropped.append(key)
        return Ask(tuple(map(id, batch.utterances)), new, tuple(dropped))


def _checked(answer: Answer) -> Answer:
    """An answer of a call that worked. Raises EngineError or OutOfMemoryError for others."""
    if answer.status == "ok":
        return answer
    raise (OutOfMemoryError if answer.status == "out_of_memory" else EngineError)(answer.reason)
