"""The processor: threads, pinning, and the wall clock."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.option_checks import one_of
from asr_scaling.device._glibc_heap import HEAP, HEAPS
from asr_scaling.device._host import NoDeviceMemory, set_host
from asr_scaling.errors import ConfigError


@dataclass(frozen=True)
class Cpu:
    """Options of the device.

    ``threads``: threads that compute; None for one per usable core.
    ``pinned``: keep them on the first ``threads`` cores.
    ``heap``: "keep" makes the process keep memory that a call frees, instead of giving it back to
    the kernel and faulting it in again at the next call. Its resident memory then stays at what the
    largest call needed. Between points it is given back.
    ``steady``: take away the page faults of a call, which go with what processes differ by: the
    heap is kept, whatever ``heap`` says. docs/method.md has the experiment.
    """

    threads: int | None = None
    pinned: bool = False
    heap: str = "release"
    steady: bool = False
    kind: str = field(default="cpu", init=False)
    torch_name: str = field(default="cpu", init=False)
    memory: NoDeviceMemory = field(default_factory=NoDeviceMemory, init=False, compare=False)

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"device.threads must be at least 1 or null; got {self.threads}.")
        one_of("device.heap", self.heap, HEAPS)

    def setup(self) -> Mapping[str, Any]:
        """Sets how many threads compute, and the process's cores and heap, for this point."""
        kept = "keep" if self.steady else self.heap
        cores = set_host(self.threads, self.pinned, kept)
        facts = {"kind": "cpu", "threads": self.threads or len(cores), "cores": len(cores)}
        heap = {"heap": kept, "heap_kept_before": HEAP.kept_before}
        return {**facts, "pinned": self.pinned, "steady": self.steady, **heap}

    def mark(self) -> int:
        """Nanoseconds of the monotonic clock."""
        return time.perf_counter_ns()

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Differences to the first mark; a CPU call is over when it returns."""
        return [(mark - marks[0]) / 1e9 for mark in marks]
