"""What of the machine can be seen: other processes, and energy."""

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
_BURN = "import time; print(flush=True); end = time.monotonic() + 10\nwhile time.monotonic() < end: pass"
"""Says that it began, and ends by itself should nobody end it."""


def noticed() -> tuple[bool, float]:
    """Whether a one-second point has the caution, and the share of time that others used."""
    pipeline = Pipeline(1, warmup=0, min_iterations=20, precision=None)
    system = SystemSpec(load_spec("whisper_tiny_en"), Fake(0.05, 0.0), Cpu(), Fixed(1))
    record = measured(Job(system, Silence([1.0]), {}, pipeline))
    return any(c.kind == BUSY_MACHINE for c in record.cautions), record.values["noise/others_share"]


def neighbours(look: Callable[[], tuple[bool, float]] = noticed) -> Check:
    """Two short points, with and without busy processes beside them, which must be noticed."""
    quiet, quiet_share = look()
    with burning():
        loaded, share = look()
    values = {"others_alone": quiet_share, "others_loaded": share}
    if not loaded:
        figure = f"processes on every core went unnoticed ({share:.0%} seen)"
        advice = "Other programs' load would not show in records from here: measure where nobody else computes."
        return Check("other processes", "fail", figure, advice, values)
    if quiet:
        figure = f"others use {quiet_share:.0%} of the cores' time right now"
        advice = "The machine is busy now: stop other programs before you measure."
        return Check("other processes", "warn", figure, advice, values)
    figure = f"{quiet_share:.0%} at rest, {share:.0%} seen under load"
    return Check("other processes", "pass", figure, values=values)


@contextmanager
def burning() -> Iterator[None]:
    """One process a core that only computes, for as long as the block lasts."""
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
    """The energy counters and how often each ticks; without one, joules are estimated."""
    device = _device()
    counters, missing = (find or Energy().find)(device)
    try:
        periods = tick_periods(counters)
    finally:
        for counter in counters:
            counter.close()
    said, values = [], dict[str, float]()
    for counter, period in zip(counters, periods, strict=True):
        if period is None:
            missing = missing | {counter.component: "its counter does not move"}
        else:
            said.append(f"{counter.component} {counter.method}, a tick every {period * 1e3:.3g} ms")
            values[f"{counter.component}_tick_s"] = max(
                period, values.get(f"{counter.component}_tick_s", 0.0)
            )
    without = [
        part for part in (("cpu", "gpu") if device.kind == "cuda" else ("cpu",)) if part in missing
    ]
    if not without:
        return Check("energy", "pass", "; ".join(said), values=values)
    reasons = "; ".join(f"no counter of the {part}: {missing[part]}" for part in without)
    advice = "Energy is estimated or unavailable: let this user read RAPL or NVML, or compare points of one host."
    return Check("energy", "warn", "; ".join([*said, reasons]), advice, values)


def _device() -> Device:
    """The GPU where there is one, since its counter is what most energy is read from."""
    import torch

    return Cuda() if torch.cuda.is_available() else Cpu()
