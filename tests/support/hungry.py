"""An engine that takes known amounts of memory at each step, for processes of its own too."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asr_scaling.core.ports import Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.device.cpu import NoDeviceMemory
from asr_scaling.errors import EngineError, OutOfMemoryError

MB = 1_000_000


@dataclass(frozen=True)
class Hungry:
    """``loads``, ``keeps``: bytes that loading and the first call leave; ``loading``, ``calls``:
    bytes that they need for a moment, calls for every utterance; ``fails``: how a call ends."""

    loads: int = 0
    loading: int = 0
    keeps: int = 0
    calls: int = 0
    fails: str = ""

    def check(self, model: Any) -> None:
        return

    def load(self, model: Any, device: Any) -> HungrySystem:
        taken(self.loading)
        return HungrySystem(self)


class HungrySystem:
    def __init__(self, engine: Hungry) -> None:
        self.engine, self.held = engine, [taken(engine.loads)]
        self.modules: dict[str, Any] = {}
        self.facts = SystemFacts("pretrained", "here", engine.loads, 0, "float32")

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        {"": lambda: None, "kill": _kill, "engine": _refuse, "memory": _full, "bug": _bug}[
            self.engine.fails
        ]()
        if len(self.held) == 1:
            self.held.append(taken(self.engine.keeps))
        taken(self.engine.calls * len(batch))
        texts = tuple(u.reference for u in batch.utterances)
        return Transcription(
            texts, (1,) * len(batch), tuple(u.duration_s for u in batch.utterances)
        )

    def close(self) -> None:
        self.held.clear()


@dataclass(frozen=True)
class PlainDevice:
    """A processor whose setting up changes nothing."""

    kind: str = "cpu"
    torch_name: str = "cpu"
    memory: NoDeviceMemory = field(default_factory=NoDeviceMemory)

    def setup(self) -> dict[str, Any]:
        return {}

    def mark(self) -> int:
        return time.perf_counter_ns()

    def seconds(self, marks: Sequence[int]) -> list[float]:
        return [(mark - marks[0]) / 1e9 for mark in marks]


def taken(size: int) -> np.ndarray:
    return np.ones(size, dtype=np.uint8)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse() -> None:
    sys.stdout.write("a library's own words\n")
    raise EngineError("This call can't be made: leave it out.")


def _full() -> None:
    raise OutOfMemoryError("It does not fit; use a smaller batch.size.")


def _bug() -> None:
    raise ValueError("a shape is wrong")
