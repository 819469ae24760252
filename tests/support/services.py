"""What tests of services need: a system that is held, and replies that are waited for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from threading import Condition, Event
from typing import Any

from asr_scaling.core.ports import Probe, Reply, Served, Service, System
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine.fake import Fake
from support.fakes import FakeDevice, ScriptedSystem, make_spec

PATIENCE_S = 30.0


class Replies:
    """Takes replies and waits for them."""

    def __init__(self) -> None:
        self._came = Condition()
        self.all: list[tuple[str, Reply]] = []

    def submit(self, service: Service, *some: Utterance) -> None:
        for one in some:
            service.submit(one, lambda reply, key=one.id: self._take(key, reply))

    def _take(self, key: str, reply: Reply) -> None:
        with self._came:
            self.all.append((key, reply))
            self._came.notify_all()

    def wait(self, count: int) -> list[Reply]:
        """The first ``count``, in the order in which they came."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.all) >= count, PATIENCE_S), self.all
            return [reply for _, reply in self.all[:count]]

    def of(self, key: str) -> Reply:
        (reply,) = [reply for name, reply in self.all if name == key]
        return reply


class HeldSystem(ScriptedSystem):
    """Each call waits until it is let go; ``calls`` has the ids of each."""

    def __init__(self, held: bool = True) -> None:
        super().__init__(self._call)
        self.calls: list[tuple[str, ...]] = []
        self.begun, self.go = Event(), Event()
        if not held:
            self.go.set()

    def _call(self, batch: AudioBatch, probe: Probe) -> None:
        self.calls.append(tuple(one.id for one in batch.utterances))
        self.begun.set()
        assert self.go.wait(PATIENCE_S)


def served(system: System, engine: Any = None, device: Any = None) -> Served:
    return Served(make_spec(), engine or Fake(), device or FakeDevice(), system)


def serving_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("serving-")]


def texts(replies: Sequence[Reply]) -> list[str]:
    return [reply.text for reply in replies]
