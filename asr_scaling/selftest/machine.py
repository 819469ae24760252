"""Checks of what can be seen of the machine: other processes, and energy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.cautions import BUSY_MACHINE
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import Device, SystemSpec
from asr_scaling.device.cpu import Cpu
from asr_scaling.device.cuda import Cuda
from asr_scaling.engine.fake import Fake
from asr_scaling.machine.environment import allowed_cores
from asr_scaling.measure.job import Job
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.energy import Energy, tick_periods
from asr_scaling.selftest.checks import Check
from asr_scaling.selftest.clock import Silence, measured

_MOST_BURNERS = 32
_BURN = """
import time
print(flush=True)
end = time.monotonic() + 10
while time.monotonic() < end: pass
"""
"""Prints a line when it begins, and ends by itself after 10 s."""
_BLIND = (
    "Other programs' load would not show in records from here: measure where nobody else computes."
)
_BUSY = "The machine is busy now: stop other programs before you measure."
_ESTIMATED = (
    "Energy is estimated or unavailable, and nothing is ranked by it: let this user read RAPL or "
    "NVML, or give the machine's watts (profiler.energy.idle_w, busy_w, watts_from)."
)


def noticed() -> tuple[bool, float]:
    """Whether a one-second point got the caution, and the share of time that others used."""
    pipeline = Pipeline(1, warmup=0, min_iterations=20, precision=None)
    system = SystemSpec(load_spec("whisper_tiny_en"), Fake(0.05, 0.0), Cpu(), Fixed(1))
    record = measured(Job(system, Silence([1.0]), {}, pipeline))
    return any(c.kind == BUSY_MACHINE for c in record.cautions), record.values["noise/others_share"]


def neighbours(look: Callable[[], tuple[bool, float]] = noticed) -> Check:
    """Two short points, without and with busy processes beside them, which must be noticed.

    look: measures a point; returns whether it noticed others, and their share of time.
    """
    quiet, quiet_share = look()
    with burning():
        loaded, share = look()
    values = {"others_alone": quiet_share, "others_loaded": share}
    if not loaded:
        figure = f"processes on every core went unnoticed ({share:.0%} seen)"
        return Check("other processes", "fail", figure, _BLIND, values)
    if quiet:
        figure = f"others use {quiet_share:.0%} of the cores' time right now"
        return Check("other processes", "warn", figure, _BUSY, values)
    figure = f"{quiet_share:.0%} at rest, {share:.0%} seen under load"
    return Check("other processes", "pass", figure, values=values)


@contextmanager
def burning() -> Iterator[None]:
    """Keeps every core busy with a process of its own while the block runs."""
    with ExitStack() as stack:
        children = []
        for _ in range(min(len(allowed_cores()), _MOST_BURNERS)):
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BURN],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            stack.enter_context(child)  # waits for its end …
            stack.callback(child.kill)  # … which comes now
            children.append(child)
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        yield


def energy(find: Callable[[Device], Any] | None = None) -> Check:
    """The energy counters and how often each ticks; without one, energy is estimated."""
    device = _device()
    counters, missing = (find or Energy().find)(device)
    try:
        periods = tick_periods(counters)
    finally:
        for counter in counters:
            counter.close()
    ticks, values = [], dict[str, float]()
    for counter, period in zip(counters, periods, strict=True):
        part = counter.component
        if period is None:
            missing = missing | {part: "its counter does not move"}
        else:
            ticks.append(f"{part} {counter.method}, a tick every {period * 1e3:.3g} ms")
            values[f"{part}_tick_s"] = max(period, values.get(f"{part}_tick_s", 0.0))
    parts = ("cpu", "gpu") if device.kind == "cuda" else ("cpu",)
    gaps = [f"no counter of the {part}: {missing[part]}" for part in parts if part in missing]
    figure = "; ".join([*ticks, *gaps])
    return Check("energy", "warn" if gaps else "pass", figure, _ESTIMATED if gaps else "", values)


def _device() -> Device:
    """The GPU where there is one, since it uses most of the energy."""
    import torch

    return Cuda() if torch.cuda.is_available() else Cpu()
