"""What each module of FunASR's own chain costs in a call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from asr_scaling.core.module_use import BETWEEN, RECOGNITION, Account, ModuleUse, Span
from asr_scaling.core.ports import NullProbe, Probe
from asr_scaling.machine.module_place import ModulePlace


class Meter:
    """Adds up seconds, call by call.

    In FunASR's chain one module works at a time, so the processor time that passes meanwhile is
    its own.
    """

    def __init__(self, devices: Mapping[str, str]) -> None:
        self._places = {name: ModulePlace(device) for name, device in devices.items()}
        self._probe: Probe = NullProbe()
        self._used: dict[str, ModuleUse] = {}
        self._spans: list[Span] = []
        self._start_s, self._start_cpu_s = 0.0, 0.0
        self._samples, self._padded = 0, 0

    def begin(self, probe: Probe) -> None:
        """A call begins; ``probe`` is told which module works."""
        self._probe = probe
        self._used, self._spans = {}, []
        self._samples, self._padded = 0, 0
        self._start_s, self._start_cpu_s = time.perf_counter(), time.process_time()
        probe.stage(BETWEEN)

    def end(self) -> Account:
        """The call is over."""
        total_s = time.perf_counter() - self._start_s
        cpu_s = time.process_time() - self._start_cpu_s
        self._probe = NullProbe()
        if self._padded:
            share = 1 - self._samples / self._padded
            self._used[RECOGNITION] = replace(self._used[RECOGNITION], padding_share=share)
        used = self._used.values()
        rest = ModuleUse(
            wall_s=max(0.0, total_s - sum(use.wall_s for use in used)),
            cpu_s=max(0.0, cpu_s - sum(use.cpu_s or 0.0 for use in used)),
        )
        return Account(total_s, cpu_s, {**self._used, BETWEEN: rest}, tuple(self._spans))

    def padded(self, lengths: Sequence[int]) -> None:
        """Recognition is given pieces of so many samples at once, padded to the longest."""
        self._samples += sum(lengths)
        self._padded += max(lengths, default=0) * len(lengths)

    def moved(self, module: str, count: int) -> None:
        """``module`` moved so many bytes to an accelerator or back, while it worked."""
        self._places[module].moved_bytes += count

    @contextmanager
    def work(self, module: str, items: int) -> Iterator[None]:
        """In this block ``module`` works on ``items``."""
        place = self._places[module]
        before_s, before = place.device_s, place.moved_bytes
        self._probe.stage(module)
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        with place.occupied():
            yield
        end_s, end_cpu_s = time.perf_counter(), time.process_time()
        self._probe.stage(BETWEEN)
        first_s, last_s = start_s - self._start_s, end_s - self._start_s
        self._spans.append(Span(module, first_s, last_s, place.torch_name, items))
        use = self._used.get(module, ModuleUse(cpu_s=0.0))
        device_s = (use.device_s or 0.0) + place.device_s - before_s
        self._used[module] = replace(
            use,
            wall_s=use.wall_s + end_s - start_s,
            cpu_s=(use.cpu_s or 0.0) + end_cpu_s - start_cpu_s,
            device_s=device_s if place.accelerated else None,
            moved_bytes=(use.moved_bytes or 0) + place.moved_bytes - before,
            calls=use.calls + 1,
            items=use.items + items,
        )
