"""The metronome: known work of a few milliseconds between timed calls shows the machine's state.

How fast a shared machine is changes from second to second. The same work, done again and again
outside what is timed, shows by how much (core/usual_state.py uses it).
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from asr_scaling.core.ports import Device
from asr_scaling.core.sample import Beat

if TYPE_CHECKING:
    from torch import Tensor

EVERY = 35
"""A beat is due when so many times its own duration have passed, so that beats take at most
1/36 = 2.8 % of the time."""
_ROWS, _COLUMNS = 6000, 4000
"""Of weights in float32: 96 MB, more than the last-level cache that one process gets."""
_SIDE = 512
_PRODUCTS = {"float32": 2, "bfloat16": 4}
_TURNS = 30_000
_CLEARLY = 1.5
"""So much longer than two products in float32 four in bfloat16 may take."""
_FIRST = 3
"""Beats that are not kept: they choose kernels and touch memory for the first time."""

Probe = Callable[[], float]
"""Does its work once; returns the seconds that it took."""
Probes = Callable[[Device, ExitStack], Mapping[str, Probe]]
"""Makes the probes of a device; what they hold is given back when the stack is closed."""


def probes_of(device: Device, stack: ExitStack) -> dict[str, Probe]:
    """What a system may lean on → the probe of it.

    - "memory": weights of 96 MB are read by a matrix-vector product;
    - "products": two products of 512 × 512 in float32, in cache;
    - "products_bfloat16": four of them, where the processor is clearly faster at them;
    - "dispatch": 30,000 turns of a loop of Python's interpreter.

    Each on one thread, whatever the device's: beside an engine's own threads, which wait for work
    by spinning, torch's would share a core, and the probe would show that instead of the machine.

    Raises RuntimeError when there is no memory for them.
    """
    import torch

    weights = _weights()
    vector, result = torch.full((_COLUMNS,), 0.5), torch.empty(_ROWS)
    probes = {"memory": _alone(lambda: torch.mv(weights, vector, out=result))}
    probes["products"], short = _products("float32"), _products("bfloat16")
    if _best(short) < _CLEARLY * _best(probes["products"]):
        probes["products_bfloat16"] = short
    return {**probes, "dispatch": _timed(_turns)}


class Metronome:
    """Takes beats of ``device`` until the block ends; only ``beats`` is left then.

    ``beats``: what was taken so far.
    ``why_not``: why it takes none, or no more; empty while it does.
    """

    def __init__(self, device: Device, probes: Probes | None = probes_of) -> None:
        """``probes``: makes what is timed; None for a metronome that takes no beats."""
        self.beats: tuple[Beat, ...] = ()
        self.why_not = "" if probes else "off: pipeline.metronome=false"
        self._device, self._make = device, probes
        self._probes: Mapping[str, Probe] = {}
        self._stack = ExitStack()
        self._due_at = 0.0

    def __enter__(self) -> Metronome:
        try:
            self._probes = self._make(self._device, self._stack) if self._make else {}
            for _ in range(_FIRST):
                self._take()
        except Exception as error:  # a machine whose state can't be told is measured all the same
            self._stop(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._probes = {}
        self._stack.close()

    def beat(self) -> float:
        """Take a beat; returns the seconds that it took, 0 when it takes none any more."""
        if not self._probes:
            return 0.0
        at, start = time.time(), time.perf_counter()
        try:
            seconds = self._take()
        except Exception as error:
            self._stop(error)
            return time.perf_counter() - start
        self.beats += (Beat(at, seconds),)
        end = time.perf_counter()
        self._due_at = end + EVERY * (end - start)
        return end - start

    def look(self) -> float:
        """Take a beat if one is due; returns the seconds that it took."""
        return self.beat() if time.perf_counter() >= self._due_at else 0.0

    def _take(self) -> dict[str, float]:
        return {name: probe() for name, probe in self._probes.items()}

    def _stop(self, error: Exception) -> None:
        self._probes = {}
        self.why_not = f"its probes failed: {type(error).__name__}: {error}"


def _timed(work: Callable[[], object]) -> Probe:
    def probe() -> float:
        start = time.perf_counter_ns()
        work()
        return max(1, time.perf_counter_ns() - start) / 1e9

    return probe


def _best(probe: Probe) -> float:
    return min(probe() for _ in range(5))


def _alone(work: Callable[[], object]) -> Probe:
    """Times ``work`` with torch on one thread; as many as before compute afterwards."""
    import torch

    probe = _timed(work)

    def alone() -> float:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return probe()
        finally:
            torch.set_num_threads(threads)

    return alone


def _weights() -> Tensor:
    """In pages of their own, so that the heap of the system under test is as it is without them."""
    import torch

    pages = mmap.mmap(-1, _ROWS * _COLUMNS * 4)
    return torch.frombuffer(pages, dtype=torch.float32).fill_(0.5).view(_ROWS, _COLUMNS)


def _products(dtype: str) -> Probe:
    """Random numbers: constants would let some processors draw less power and clock higher."""
    import torch

    generator, kind = torch.Generator().manual_seed(0), getattr(torch, dtype)
    a, b = (torch.randn(_SIDE, _SIDE, generator=generator).to(kind) for _ in range(2))
    product = torch.empty_like(a)

    def multiply() -> None:
        for _ in range(_PRODUCTS[dtype]):
            torch.mm(a, b, out=product)

    return _alone(multiply)


def _turns() -> int:
    odd = 0
    for turn in range(_TURNS):
        odd += turn & 1
    return odd
