"""What processor and GPU do, read a few times a second by a thread.

The thread measures its own cost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psutil

from asr_scaling.core.ports import Device
from asr_scaling.errors import DeviceError
from asr_scaling.machine.environment import allowed_cores
from asr_scaling.machine.interference import busy_and_all, frequency_hz
from asr_scaling.machine.nvml import handle, nvml

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
_Read = TypeVar("_Read")


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


def core_shares(first: Reading, last: Reading) -> dict[int, float]:
    """Core → share of the time between two readings in which it was busy.

    Without the cores whose counters did not move.
    """
    shares = dict[int, float]()
    for core, (busy, total) in last.cores.items():
        busy_then, total_then = first.cores.get(core, (0.0, 0.0))
        if total > total_then:
            shares[core] = min(1.0, max(0.0, busy - busy_then) / (total - total_then))
    return shares


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


class Sampler(Generic[_Read]):
    """Calls ``read`` from a thread while the block runs, ``hz`` times a second, and at both ends.

    ``readings``: what it returned, in order.
    ``share``: the thread's processor time over its wall time, once the block has ended.
    ``error``: why it stopped early, None if it didn't.
    The thread has ended when the block has.
    """

    def __init__(self, read: Callable[[], _Read], hz: float) -> None:
        self.readings: list[_Read] = []
        self.share = 0.0
        self.error: str | None = None
        self._read, self._period_s = read, 1 / hz
        self._begun, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="asr_scaling sampler", daemon=True)

    def __enter__(self) -> Sampler[_Read]:
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
