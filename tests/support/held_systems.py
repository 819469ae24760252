"""What tests of services need: a system that is held, and replies that are waited for."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event
from typing import Any

import psutil

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, Reply, Served, Service, System
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import EngineError
from asr_scaling.machine.threads import threads
from support.fakes import FakeDevice, ScriptedSystem, make_spec, transcription

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


@dataclass(frozen=True)
class HeldEngine:
    """Its systems write the number of their process into ``folder/begun`` and wait for
    ``folder/go``. Texts say which process it was, what cores it may use, and its threads.

    Utterances called "broken" fail, those called "full" find no memory, "deadly" ones end the
    process. A file ``folder/unloadable`` keeps it from loading.
    """

    folder: Path

    def check(self, model: ModelSpec) -> None:
        return

    def load(self, model: ModelSpec, device: Any) -> HeldProcess:
        if (self.folder / "unloadable").exists():
            raise EngineError("The weights are gone.")
        return HeldProcess(self.folder)


class HeldProcess(ScriptedSystem):
    def __init__(self, folder: Path) -> None:
        super().__init__(self._call)
        self._folder = folder

    def _call(self, batch: AudioBatch, probe: Probe) -> Any:
        pid, key = os.getpid(), batch.utterances[0].id
        with (self._folder / "begun").open("a", encoding="ascii") as file:
            file.write(f"{pid} {key}\n")
        if key == "broken":
            raise ValueError("no words")
        if key == "full":
            raise MemoryError
        if key == "deadly":
            print("found no way on", file=sys.stderr)
            os._exit(7)
        until((self._folder / "go").exists)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        written = [one.audio.flags.writeable for one in batch.utterances]
        told = f"{pid} {threads()} {cores} {written}"
        return transcription(batch, texts=(told,) * len(batch))

    @staticmethod
    def begun(folder: Path) -> list[tuple[int, str]]:
        """Process and first utterance of each call that has begun."""
        file = folder / "begun"
        lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]


def until(true: Callable[[], object]) -> None:
    """Wait for something to be true, for a while."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def gone(pid: int) -> bool:
    """Whether no process has this number."""
    return not psutil.pid_exists(pid)
