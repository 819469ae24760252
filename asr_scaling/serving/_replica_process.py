"""The other side of ``_replica.py``: a process that loads a system and answers calls."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Literal

from asr_scaling.core.ports import NullProbe, System
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import OutOfMemoryError
from asr_scaling.machine.fresh_process import be_first_to_end
from asr_scaling.machine.memory import release_memory
from asr_scaling.serving._crew import Heard, failure


@dataclass(frozen=True)
class Ask:
    """One call.

    ``wanted``: keys of its utterances.
    ``new``: key → utterance, of those that the process does not have yet.
    ``dropped``: keys that it may forget before it takes the new ones.
    """

    wanted: tuple[int, ...]
    new: dict[int, Utterance] = field(default_factory=dict)
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a call gave; nothing if it failed.

    ``status``: "ok", or why there are no texts.
    """

    status: Literal["ok", "failed", "out_of_memory"] = "ok"
    reason: str = ""
    heard: Heard = field(default_factory=lambda: Heard((), ()))


def work() -> None:
    """Load what comes first through the connection, then answer until the other side is gone."""
    be_first_to_end()
    with suppress(EOFError, OSError), Connection(int(sys.argv[1])) as connection:
        try:
            system = unpacked(connection.recv_bytes())
        except Exception as error:
            connection.send(_failed(error))
        else:
            connection.send(Answer())
            _answer(connection, system)
    os._exit(0)  # what libraries do at a usual end takes time, and some crash


def unpacked(load: bytes, place: Callable[[], None] = lambda: None) -> System:
    """The system that ``_replica.packed`` packed, loaded.

    place: called once the device is set up: puts the threads that begin from then on in place.
    """
    model, engine, device = pickle.loads(load)  # of our own process
    engine.check(model)
    device.setup()
    place()
    system: System = engine.load(model, device)
    release_memory(freeze=True)
    return system


def _answer(connection: Connection, system: System) -> None:
    known: dict[int, Utterance] = {}
    try:
        while True:
            ask: Ask = connection.recv()
            for key in ask.dropped:
                del known[key]
            for key, utterance in ask.new.items():
                utterance.audio.setflags(write=False)
                known[key] = utterance
            connection.send(_call(system, AudioBatch(tuple(known[key] for key in ask.wanted))))
    finally:
        system.close()


def _call(system: System, batch: AudioBatch) -> Answer:
    try:
        result = system.transcribe(batch, NullProbe())
    except Exception as error:
        return _failed(error)
    return Answer(heard=Heard.from_call(result))


def _failed(error: Exception) -> Answer:
    memory = isinstance(error, OutOfMemoryError | MemoryError)
    return Answer("out_of_memory" if memory else "failed", failure(error))
