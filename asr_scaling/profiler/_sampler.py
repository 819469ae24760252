"""What processor and GPU do while calls run, read a few times a second by a thread.

The thread measures its own cost.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Device
from asr_scaling.core.record import Findings
from asr_scaling.errors import DeviceError
from asr_scaling.machine.environment import allowed_cores
from asr_scaling.machine.interference import busy_and_all, frequency_hz
from asr_scaling.machine.nvml import handle, nvml
from asr_scaling.profiler._figures import Figures, findings_of

_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal")
"""Linux's drivers of processors' own sensors; those of disks and power supplies are left out."""
_SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "heat",
    0x40: "heat, by hardware",
    0x80: "power brake",
}
"""Bits of NVML's clocks event reasons (nvml.h) that mean a GPU is slowed down."""
_LONGER = "raise profiler.utilisation.seconds"
_CPU = ("utilisation/cpu_share", "utilisation/cpu_clock_hz", "utilisation/temperature_c")
_GPU = {
    "utilisation/gpu_share": "share",
    "utilisation/gpu_clock_hz": "clock_hz",
    "utilisation/gpu_temperature_c": "temperature_c",
    "utilisation/gpu_power_w": "power_w",
}


@dataclass(frozen=True)
class GpuReading:
    """A GPU at one moment; None for what it doesn't tell.

    ``slowed``: what held its clock down.
    """

    share: float | None = None
    clock_hz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    slowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """The machine at one moment; None for what it doesn't tell.

    ``cores``: core → seconds busy, and seconds in all, since boot.
    """

    cores: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    clock_hz: float | None = None
    temperature_c: float | None = None
    gpu: GpuReading | None = None


def sampled_metrics() -> tuple[str, ...]:
    """Every metric that the sampler can give here."""
    cores = (f"utilisation/cpu{core}_share" for core in allowed_cores())
    return (*_CPU, *cores, *_GPU, "utilisation/sampler_share")


class Machine:
    """Reads this machine, and the GPU when ``device`` is one.

    ``no_gpu``: why there is no reading of a GPU.
    """

    def __init__(self, device: Device) -> None:
        self._gpu: Any = None
        self._allowed = allowed_cores()
        self.no_gpu = "the system does not run on a GPU"
        if device.kind == "cuda":
            try:
                self._gpu = handle(device.torch_name)
            except DeviceError as error:
                self.no_gpu = str(error)

    def read(self) -> Reading:
        """One reading: about a millisecond, and as much again for a GPU."""
        every = dict(enumerate(psutil.cpu_times(percpu=True)))
        cores = {core: busy_and_all(every[core]) for core in self._allowed if core in every}
        return Reading(
            cores, frequency_hz(), _temperature_c(), None if self._gpu is None else _gpu(self._gpu)
        )

    def close(self) -> None:
        """Shut NVML down. May be called twice."""
        if self._gpu is not None:
            self._gpu = None
            nvml().nvmlShutdown()


def _temperature_c() -> float | None:
    if not hasattr(psutil, "sensors_temperatures"):  # macOS and Windows
        return None
    chips = psutil.sensors_temperatures()
    own = (sensor.current for name in _CPU_SENSORS for sensor in chips.get(name, ()))
    return max(own, default=None)


def _gpu(gpu: Any) -> GpuReading:
    pynvml = nvml()

    def asked(function: str, *arguments: Any) -> Any:
        try:
            return getattr(pynvml, function)(gpu, *arguments)
        except (pynvml.NVMLError, AttributeError):  # an older GPU, a slice of one, an older package
            return None

    rates = asked("nvmlDeviceGetUtilizationRates")
    clock_mhz = asked("nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_SM)
    milliwatts = asked("nvmlDeviceGetPowerUsage")
    reasons = asked("nvmlDeviceGetCurrentClocksEventReasons")
    if reasons is None:
        reasons = asked("nvmlDeviceGetCurrentClocksThrottleReasons")  # its name before CUDA 12.2
    return GpuReading(
        share=None if rates is None else rates.gpu / 100,
        clock_hz=None if clock_mhz is None else clock_mhz * 1e6,
        temperature_c=asked("nvmlDeviceGetTemperature", pynvml.NVML_TEMPERATURE_GPU),
        power_w=None if milliwatts is None else milliwatts / 1000,
        slowed=tuple(name for bit, name in _SLOWED.items() if (reasons or 0) & bit),
    )


class Sampler:
    """Calls ``read`` from a thread while the block runs, ``hz`` times a second, and at both ends.

    ``share``: the thread's processor time over its wall time, once the block has ended.
    ``error``: why it stopped early, None if it didn't.
    The thread has ended when the block has.
    """

    def __init__(self, read: Callable[[], Reading], hz: float) -> None:
        self.readings: list[Reading] = []
        self.share = 0.0
        self.error: str | None = None
        self._read, self._period_s = read, 1 / hz
        self._begun, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="asr_scaling sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        try:
            self._begun.wait()  # the counters' first reading lies before the first call
        except BaseException:  # Ctrl-C: nobody else would end the thread
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        wall, own = time.perf_counter(), time.thread_time()
        try:
            self.readings.append(self._read())
            self._begun.set()
            while not self._stop.wait(self._period_s):
                self.readings.append(self._read())
            self.readings.append(self._read())
        except Exception as failure:  # a driver or a sensor that is gone must not fail the calls
            self.error = f"reading the machine failed: {type(failure).__name__}: {failure}"
        finally:
            self._begun.set()
            self.share = (time.thread_time() - own) / max(time.perf_counter() - wall, 1e-9)


def summarise(readings: Sequence[Reading], no_gpu: str) -> Findings:
    """Shares between the first and the last reading, mean clocks and power, highest temperature.

    The first reading lies before the pass and is only the base of the counters.
    """
    figures = _shares(readings[0].cores, readings[-1].cores)
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


_Cores = Mapping[int, tuple[float, float]]


def _shares(first: _Cores, last: _Cores) -> Figures:
    """The share of time in which each core was busy, and their mean."""
    figures: Figures = {}
    shares = list[float]()
    for core in allowed_cores():
        name = f"utilisation/cpu{core}_share"
        busy_then, total_then = first.get(core, (0.0, 0.0))
        busy, total = last.get(core, (0.0, 0.0))
        figures[name] = f"the core's counters did not move: {_LONGER}"
        if total > total_then:
            shares.append(min(1.0, max(0.0, busy - busy_then) / (total - total_then)))
            figures[name] = Metric(name, shares[-1], 1)
    mean = Metric(_CPU[0], statistics.fmean(shares), len(shares)) if shares else None
    return figures | {_CPU[0]: mean or f"no core's counters moved: {_LONGER}"}


def _slowed(gpus: Sequence[GpuReading]) -> tuple[Caution, ...]:
    reasons = Counter(reason for gpu in gpus for reason in gpu.slowed)
    seen = (f"{reason} in {n} of {len(gpus)} readings of the GPU" for reason, n in reasons.items())
    return (caution("Throttled", events=", ".join(seen)),) if reasons else ()
