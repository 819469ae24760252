"""The machine under a load: how busy it was and what it drew, read a few times a second."""

from __future__ import annotations

import math
import statistics
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from asr_scaling.core.cautions import Caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Device, Meter
from asr_scaling.core.statistics import Interval, ratio_interval
from asr_scaling.load.drive import Request
from asr_scaling.machine.sampler import Machine, Reading, Sampler, core_shares

_HZ = 2.0
_LONGER = "this load was too short for two looks at the machine: raise scenario.seconds"
NO_METER = "no measurement of energy is taken: leave energy among profiler=[…]"
ENERGY = ("load/power_w", "load/energy_per_request_j", "load/energy_per_audio_hour_j")
Figures = dict[str, Metric | str]
"""Name of a metric → its value, or one sentence why it has none."""


@dataclass(frozen=True)
class Look:
    """The machine at one moment.

    at_s: when, on the clock of ``time.monotonic``.
    machine: its counters.
    joules: drawn since the look before; one sentence where that is not known.
    """

    at_s: float
    machine: Reading
    joules: float | str


@dataclass
class Looks:
    """All looks at the machine during a load; filled when the block of ``watched`` ends.

    no_gpu: why there is no reading of a GPU.
    failed: why looking broke off.
    meter: what tells joules; None where nothing does.
    """

    no_gpu: str
    meter: Meter | None
    every: list[Look] = field(default_factory=list)
    failed: str | None = None


@contextmanager
def watched(device: Device, meter: Meter | None) -> Iterator[Looks]:
    """In this block a thread looks at the machine twice a second."""
    machine = Machine(device)
    looks = Looks(machine.no_gpu, meter)

    def look() -> Look:
        joules = NO_METER if meter is None else meter.spent_j()
        return Look(time.monotonic(), machine.read(), joules)

    try:
        if meter is not None:
            meter.begin()
        with Sampler(look, _HZ) as sampler:
            yield looks
    finally:
        machine.close()
    looks.every, looks.failed = sampler.readings, sampler.error


def use_of_machine(
    looks: Looks, answered: Sequence[Request], begin_s: float, end_s: float
) -> tuple[Figures, tuple[Caution, ...]]:
    """Shares of processor and GPU and the energy between two moments, and cautions.

    answered: the requests that got a text.
    """
    every = [look for look in looks.every if begin_s <= look.at_s <= end_s]
    if looks.failed is not None or len(every) < 2:
        reason = looks.failed or _LONGER
        return dict.fromkeys(("load/cpu_share", "load/gpu_share", *ENERGY), reason), ()
    figures: Figures = {"load/cpu_share": _cpu(every), "load/gpu_share": _gpu(every, looks.no_gpu)}
    energy, cautions = _energy(every, answered, looks.meter)
    return figures | energy, cautions


def _cpu(every: Sequence[Look]) -> Metric | str:
    shares = core_shares(every[0].machine, every[-1].machine)
    if not shares:
        return "the cores' counters did not move: raise scenario.seconds"
    return Metric("load/cpu_share", statistics.fmean(shares.values()), len(shares))


def _gpu(every: Sequence[Look], no_gpu: str) -> Metric | str:
    gpus = [look.machine.gpu for look in every[1:] if look.machine.gpu is not None]
    shares = [gpu.share for gpu in gpus if gpu.share is not None]
    if not shares:
        return "this GPU does not tell" if gpus else no_gpu
    return Metric("load/gpu_share", statistics.fmean(shares), len(shares))


def _energy(
    every: Sequence[Look], answered: Sequence[Request], meter: Meter | None
) -> tuple[Figures, tuple[Caution, ...]]:
    """Joules of the whole stretch, over what was answered in it."""
    joules = list[float]()
    for look in every[1:]:
        if isinstance(look.joules, str):
            return dict.fromkeys(ENERGY, look.joules), ()
        joules.append(look.joules)
    if sum(joules) <= 0 or meter is None:
        return dict.fromkeys(ENERGY, "the meters counted nothing under this load"), ()
    windows = list(pairwise(look.at_s for look in every))
    seconds = [end - begin for begin, end in windows]
    requests, hours = [0.0] * len(windows), [0.0] * len(windows)
    times = [look.at_s for look in every]
    for request in answered:
        i = bisect_right(times, request.reply.done_s) - 1 if request.reply else -1
        if 0 <= i < len(windows):
            requests[i] += 1
            hours[i] += request.utterance.duration_s / 3600
    watts = math.fsum(joules) / math.fsum(seconds)
    cautions = meter.reservations(watts)
    guessed = any(caution.kind == "EstimatedEnergy" for caution in cautions)
    figures: Figures = {}
    for name, work in zip(ENERGY, (seconds, requests, hours), strict=True):
        figures[name] = "nothing was answered under this load"
        if total := math.fsum(work):
            interval = None if guessed else _interval(joules, work)
            figures[name] = Metric(name, math.fsum(joules) / total, len(work), interval)
    return figures, cautions


def _interval(joules: Sequence[float], work: Sequence[float]) -> Interval | None:
    interval = ratio_interval(joules, work)
    return None if interval is None else Interval(max(0.0, interval.low), interval.high)
