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
from asr_scaling.errors import DeviceError
from asr_scaling.machine.nvml import handle, nvml

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
_GPU_SIDE, _GPU_PRODUCTS = 2048, 16
_GPU_BYTES, _GPU_COPIES = 64 * 2**20, 8
"""Read and written by a copy: 128 MB, more than a GPU's last-level cache."""
_FIRST = 3
"""Beats that are not kept: they choose kernels and touch memory for the first time."""

Probe = Callable[[], float]
"""Does its work once; returns the seconds that it took."""
Probes = Callable[[Device, ExitStack], Mapping[str, Probe]]
"""Makes the probes of a device; what they hold is given back when the stack is closed."""


def probes_of(device: Device, stack: ExitStack) -> dict[str, Probe]:
    """What a system may lean on → the probe of it; on a GPU see ``_of_gpu``. On a CPU:

    - "memory": weights of 96 MB are read by a matrix-vector product;
    - "products": two products of 512 × 512 in float32, in cache;
    - "products_bfloat16": four of them, where the processor is clearly faster at them;
    - "dispatch": 30,000 turns of a loop of Python's interpreter.

    Each on one thread, whatever the device's: beside an engine's own threads, which wait for work
    by spinning, torch's would share a core, and the probe would show that instead of the machine.

    Raises RuntimeError when there is no memory for them.
    """
    import torch

    if device.kind == "cuda":
        return _of_gpu(device, stack)
    weights = _weights()
    vector, result = torch.full((_COLUMNS,), 0.5), torch.empty(_ROWS)
    probes = {"memory": _alone(_timed(lambda: torch.mv(weights, vector, out=result)))}
    probes["products"], short = (_alone(products(dtype)) for dtype in ("float32", "bfloat16"))
    if best(short) < _CLEARLY * best(probes["products"]):
        probes["products_bfloat16"] = short
    return {**probes, "dispatch": _timed(_turns)}


def _of_gpu(device: Device, stack: ExitStack) -> dict[str, Probe]:
    """What a system on a GPU may lean on → the probe of it, the first two on the GPU's own clock.

    - "gpu_products": 16 products of 2048 × 2048 in float16, which TF32 does not change;
    - "gpu_memory": eight copies of 64 MB;
    - "gpu_cycle": seconds of one cycle of its multiprocessors' clock, right after these; left out
      where the driver does not tell it, as of a slice of a GPU;
    - "gpu_dispatch": the loop of Python's interpreter, which launches kernels. It is not called
      "dispatch", so that no state of a CPU is mistaken for one of a GPU.

    Temperature, power and what slows the GPU down are no times: the record has them as
    ``utilisation/gpu_*`` and the caution Throttled, the power limit as ``power_limit_w`` of the
    environment's device.
    """
    import torch

    name = device.torch_name
    generator = torch.Generator(device=name).manual_seed(0)
    a, b = (
        torch.randn(_GPU_SIDE, _GPU_SIDE, device=name, generator=generator).half() for _ in range(2)
    )
    product = torch.empty_like(a)
    source = torch.ones(_GPU_BYTES // 4, dtype=torch.float32, device=name)
    target = torch.empty_like(source)
    return {
        "gpu_products": _on(device, _GPU_PRODUCTS, lambda: torch.mm(a, b, out=product)),
        "gpu_memory": _on(device, _GPU_COPIES, lambda: target.copy_(source)),
        **_cycle(device, stack),
        "gpu_dispatch": _timed(_turns),
    }


def _on(device: Device, times: int, work: Callable[[], object]) -> Probe:
    """Times ``work``, done so many times, on the device's own clock."""

    def probe() -> float:
        start = device.mark()
        for _ in range(times):
            work()
        return device.seconds([start, device.mark()])[-1]

    return probe


def _cycle(device: Device, stack: ExitStack) -> dict[str, Probe]:
    try:
        driver, gpu = nvml(), handle(device.torch_name)
    except DeviceError:
        return {}
    stack.callback(driver.nvmlShutdown)

    def probe() -> float:
        return 1e-6 / float(driver.nvmlDeviceGetClockInfo(gpu, driver.NVML_CLOCK_SM))

    try:
        probe()
    except (driver.NVMLError, AttributeError, ZeroDivisionError):
        return {}
    return {"gpu_cycle": probe}


class Metronome:
    """Takes beats of ``device`` until the block ends; only ``beats`` is left then.

    ``beats``: what was taken so far.
    ``why_not``: why it takes none, or no more; empty while it does.
    ``device_bytes``: of a GPU's memory, held by the probes until the block ends.
    """

    def __init__(self, device: Device, probes: Probes | None = probes_of) -> None:
        """``probes``: makes what is timed; None for a metronome that takes no beats."""
        self.beats: tuple[Beat, ...] = ()
        self.device_bytes = 0
        self.why_not = "" if probes else "off: pipeline.metronome=false"
        self._device, self._make = device, probes
        self._probes: Mapping[str, Probe] = {}
        self._stack = ExitStack()
        self._due_at = 0.0

    def __enter__(self) -> Metronome:
        held = _allocated(self._device)
        try:
            self._probes = self._make(self._device, self._stack) if self._make else {}
            for _ in range(_FIRST):
                self._take()
        except Exception as error:  # a machine whose state can't be told is measured all the same
            self._stop(error)
        self.device_bytes = _allocated(self._device) - held
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


def _allocated(device: Device) -> int:
    """Bytes of a GPU that torch's allocator has given out; 0 on a CPU."""
    if device.kind != "cuda":
        return 0
    import torch

    return int(torch.cuda.memory_allocated(device.torch_name))


def best(probe: Probe) -> float:
    """Seconds of the fastest of five."""
    return min(probe() for _ in range(5))


def _alone(probe: Probe) -> Probe:
    """The probe with torch on one thread; as many as before compute afterwards."""
    import torch

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


def products(dtype: str) -> Probe:
    """Products of 512 × 512 on as many threads as torch has.

    The numbers are random: constants would let some processors draw less power and clock higher.
    """
    import torch

    generator, kind = torch.Generator().manual_seed(0), getattr(torch, dtype)
    a, b = (torch.randn(_SIDE, _SIDE, generator=generator).to(kind) for _ in range(2))
    product = torch.empty_like(a)

    def multiply() -> None:
        for _ in range(_PRODUCTS[dtype]):
            torch.mm(a, b, out=product)

    return _timed(multiply)


def _turns() -> int:
    odd = 0
    for turn in range(_TURNS):
        odd += turn & 1
    return odd
