"""An accelerator that computes nothing: what runs on it takes time and no core. For engine=fake."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.device._host import NoDeviceMemory, set_host


@dataclass(frozen=True)
class FakeAccelerator:
    """A stand-in for a GPU, for tests and for dry runs.

    ``threads``: of the processor, for what stays there; None for one per usable core.
    """

    threads: int | None = None
    kind: str = field(default="fake", init=False)
    torch_name: str = field(default="fake:0", init=False)
    memory: NoDeviceMemory = field(default_factory=NoDeviceMemory, init=False, compare=False)

    def setup(self) -> Mapping[str, Any]:
        """Sets how many threads of the processor compute."""
        cores = set_host(self.threads, pinned=False, heap="release")
        return {"kind": self.kind, "threads": self.threads or len(cores), "cores": len(cores)}

    def mark(self) -> int:
        """Nanoseconds of the monotonic clock."""
        return time.perf_counter_ns()

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Differences to the first mark."""
        return [(mark - marks[0]) / 1e9 for mark in marks]
