"""What each module of FunASR's own chain costs in a call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from asr_scaling.core.module_use import BETWEEN, Account, ModuleUse, Span
from asr_scaling.core.ports import NullProbe, Probe


class Meter:
    """Adds up seconds, call by call.

    In FunASR's chain one module works at a time, so the processor time that passes meanwhile is
    its own.
    """

    def __init__(self, devices: Mapping[str, str]) -> None:
        self._devices = devices
        self._probe: Probe = NullProbe()
        self._used: dict[str, ModuleUse] = {}
        self._spans: list[Span] = []
        self._start_s, self._start_cpu_s = 0.0, 0.0

    def begin(self, probe: Probe) -> None:
        """A call begins; ``probe`` is told which module works."""
        self._probe = probe
        self._used, self._spans = {}, []
        self._start_s, self._start_cpu_s = time.perf_counter(), time.process_time()
        probe.stage(BETWEEN)

    def end(self) -> Account:
        """The call is over."""
        total_s = time.perf_counter() - self._start_s
        cpu_s = time.process_time() - self._start_cpu_s
        self._probe = NullProbe()
        used = self._used.values()
        rest = ModuleUse(
            wall_s=max(0.0, total_s - sum(use.wall_s for use in used)),
            cpu_s=max(0.0, cpu_s - sum(use.cpu_s or 0.0 for use in used)),
        )
        return Account(total_s, cpu_s, {**self._used, BETWEEN: rest}, tuple(self._spans))

    def moved(self, module: str, count: int) -> None:
        """``module`` moved so many bytes to an accelerator or back."""
        use = self._used.get(module, ModuleUse(cpu_s=0.0))
        self._used[module] = replace(use, moved_bytes=use.moved_bytes + count)

    @contextmanager
    def work(self, module: str, items: int) -> Iterator[None]:
        """In this block ``module`` works on ``items``."""
        device = self._devices[module]
        self._probe.stage(module)
        clock = _clock(device)
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        yield
        device_s = clock.seconds()
        end_s, end_cpu_s = time.perf_counter(), time.process_time()
        self._probe.stage(BETWEEN)
        self._spans.append(
            Span(module, start_s - self._start_s, end_s - self._start_s, device, items)
        )
        use = self._used.get(module, ModuleUse(cpu_s=0.0))
        self._used[module] = replace(
            use,
            wall_s=use.wall_s + end_s - start_s,
            cpu_s=(use.cpu_s or 0.0) + end_cpu_s - start_cpu_s,
            device_s=None if device_s is None else (use.device_s or 0.0) + device_s,
            calls=use.calls + 1,
            items=use.items + items,
        )


class _NoClock:
    """A processor has no time line of its own."""

    def seconds(self) -> float | None:
        return None


class _DeviceClock:
    """The time line of a GPU: from now until everything that was asked of it is done."""

    def __init__(self, device: str) -> None:
        import torch

        self._cuda: Any = torch.cuda
        self._device = torch.device(device)
        self._first, self._last = (self._cuda.Event(enable_timing=True) for _ in range(2))
        self._first.record(self._cuda.current_stream(self._device))

    def seconds(self) -> float | None:
        """Waits for the GPU."""
        self._last.record(self._cuda.current_stream(self._device))
        self._last.synchronize()
        return float(self._first.elapsed_time(self._last)) / 1000


def _clock(device: str) -> _NoClock | _DeviceClock:
    return _NoClock() if device.startswith("cpu") else _DeviceClock(device)
