"""What the readings of processor and GPU say of the calls that ran meanwhile."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings
from asr_scaling.machine.environment import allowed_cores
from asr_scaling.machine.sampler import GpuReading, Reading, core_shares
from asr_scaling.profiler._figures import Figures, findings_of

_LONGER = "raise profiler.utilisation.seconds"
_CPU = ("utilisation/cpu_share", "utilisation/cpu_clock_hz", "utilisation/temperature_c")
_GPU = {
    "utilisation/gpu_share": "share",
    "utilisation/gpu_clock_hz": "clock_hz",
    "utilisation/gpu_temperature_c": "temperature_c",
    "utilisation/gpu_power_w": "power_w",
}


def sampled_metrics() -> tuple[str, ...]:
    """Every metric that the sampler can give here."""
    cores = (f"utilisation/cpu{core}_share" for core in allowed_cores())
    return (*_CPU, *cores, *_GPU, "utilisation/sampler_share")


def summarise(readings: Sequence[Reading], no_gpu: str) -> Findings:
    """Shares between the first and the last reading, mean clocks and power, highest temperature.

    The first reading lies before the pass and is only the base of the counters.
    """
    figures = _shares(readings[0], readings[-1])
    during = readings[1:]
    values = {
        "utilisation/cpu_clock_hz": [reading.clock_hz for reading in during],
        "utilisation/temperature_c": [reading.temperature_c for reading in during],
    }
    gpus = [reading.gpu for reading in during if reading.gpu is not None]
    values |= {name: [getattr(gpu, attribute) for gpu in gpus] for name, attribute in _GPU.items()}
    for name, values_read in values.items():
        numbers = [value for value in values_read if value is not None]
        if numbers:
            figure = max(numbers) if name.endswith("_c") else statistics.fmean(numbers)
            figures[name] = Metric(name, figure, len(numbers))
        else:
            not_told = "this GPU does not tell" if gpus else no_gpu
            figures[name] = not_told if name in _GPU else "this machine does not tell"
    return findings_of(figures, cautions=_slowed(gpus))


def _shares(first: Reading, last: Reading) -> Figures:
    """The share of time in which each core was busy, and their mean."""
    figures: Figures = {}
    known = core_shares(first, last)
    for core in allowed_cores():
        name = f"utilisation/cpu{core}_share"
        figures[name] = f"the core's counters did not move: {_LONGER}"
        if core in known:
            figures[name] = Metric(name, known[core], 1)
    shares = [known[core] for core in allowed_cores() if core in known]
    mean = Metric(_CPU[0], statistics.fmean(shares), len(shares)) if shares else None
    return figures | {_CPU[0]: mean or f"no core's counters moved: {_LONGER}"}


def _slowed(gpus: Sequence[GpuReading]) -> tuple[Caution, ...]:
    reasons = Counter(reason for gpu in gpus for reason in gpu.slowed)
    seen = (f"{reason} in {n} of {len(gpus)} readings of the GPU" for reason, n in reasons.items())
    return (caution("Throttled", events=", ".join(seen)),) if reasons else ()
