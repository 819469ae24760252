"""Energy meters: watts that a user gave, counters of RAPL and NVML, else codecarbon's guess."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from asr_scaling.core.energy_methods import GIVEN
from asr_scaling.core.ports import Device
from asr_scaling.errors import DeviceError
from asr_scaling.machine.interference import busy_and_all
from asr_scaling.machine.nvml import handle, nvml
from asr_scaling.profiler.energy.codecarbon import Codecarbon

POWERCAP = Path("/sys/class/powercap")
_SAME_COUNTER_J = 1.0


class Counter(Protocol):
    """A hardware counter of one component; ``method`` says how, "measured by …"."""

    component: str
    method: str

    def joules(self) -> float:
        """Joules since some moment in the past; any exception when the counter is gone."""
        ...

    def close(self) -> None:
        """Give the driver back. May be called twice."""
        ...


@dataclass(frozen=True)
class Watts:
    """What a user knows of the whole machine's power, from a meter or a provider's page.

    idle: watts of the idle machine.
    busy: watts with all cores busy.
    source: where they come from.
    """

    idle: float
    busy: float
    source: str


Found = tuple[Sequence[Counter], dict[str, str]]
"""Counters, and why there is none, for each component without."""


class Rapl:
    """One zone of Linux's powercap tree (Documentation/power/powercap).

    Its microjoules start over at a range.
    """

    method = "measured by RAPL"

    def __init__(self, component: str, zone: Path) -> None:
        self.component = component
        self._file = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text())
        self._last, self._before = int(self._file.read_text()), 0
        self.first_j = self._last / 1e6

    def joules(self) -> float:
        """Joules since the counter was 0, wraps counted; at 200 W one comes every 20 minutes."""
        now = int(self._file.read_text())
        if now < self._last:
            self._before += self._range
        self._last = now
        return (self._before + now) / 1e6

    def close(self) -> None:
        """Nothing is held."""


class GivenWatts:
    """The whole machine by its load: linear from idle to all cores busy, in watts that a user gave.

    ``busy_share_s``: seconds that all cores were busy since boot, over their number.
    ``clock``: seconds.
    """

    component = "cpu"

    def __init__(
        self,
        watts: Watts,
        busy_share_s: Callable[[], float] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._watts = watts
        self._busy_share_s = busy_share_s or _busy_share_s
        self._clock = clock or time.perf_counter
        self.method = (
            f"{GIVEN}: {watts.idle:g} W idle, {watts.busy:g} W with all cores busy ({watts.source})"
        )

    def joules(self) -> float:
        """Joules since some moment in the past."""
        above = self._watts.busy - self._watts.idle
        return self._watts.idle * self._clock() + above * self._busy_share_s()

    def close(self) -> None:
        """Nothing is held."""


def _busy_share_s() -> float:
    cores = psutil.cpu_times(percpu=True)
    return sum(busy_and_all(core)[0] for core in cores) / len(cores)


class Nvml:
    """The counter of a GPU's whole board: millijoules since the driver was loaded (Volta on)."""

    component, method = "gpu", "measured by NVML"

    def __init__(self, torch_name: str) -> None:
        self._nvml, self._handle = nvml(), handle(torch_name)
        self._open = True
        try:
            self.joules()
        except Exception as error:
            self.close()
            raise DeviceError(f"NVML knows no energy of {torch_name}: {error}") from error

    def joules(self) -> float:
        """Joules since the driver was loaded."""
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3

    def close(self) -> None:
        """Shut NVML down, once."""
        if self._open:
            self._open = False
            self._nvml.nvmlShutdown()


def find_counters(device: Device, powercap: Path = POWERCAP) -> Found:
    """Counters of what ``device`` uses: processor and memory, and the GPU when it is one."""
    counters, missing = _rapl(powercap)
    if device.kind != "cuda":
        return counters, missing | {"gpu": "not used by this device"}
    try:
        return [*counters, Nvml(device.torch_name)], missing
    except Exception as error:  # no driver, no package, a GPU without a counter
        return counters, missing | {"gpu": str(error) or type(error).__name__}


def _rapl(powercap: Path) -> tuple[list[Counter], dict[str, str]]:
    """Counters of the packages, which are the processor, and of their part "dram", the memory.

    A package holds its sub-domains "core" and "uncore" already, and the top-level "psys" holds the
    packages: adding them would count joules twice. A component with a zone that can't be read is
    left out.
    """
    packages = [
        zone for zone in sorted(powercap.glob("intel-rapl:*")) if _label(zone).startswith("package")
    ]
    drams = [zone for package in packages for zone in sorted(package.glob(f"{package.name}:*"))]
    zones = {"cpu": packages, "memory": [zone for zone in drams if _label(zone) == "dram"]}
    kept: list[Counter] = []
    missing: dict[str, str] = {}
    for component, own in zones.items():
        counters: list[Rapl] = []
        for zone in own:
            try:
                counters.append(Rapl(component, zone))
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or error
                missing[component] = (
                    f"RAPL's {zone / 'energy_uj'} can't be read ({why}): chmod a+r it as root"
                )
        if not own:
            missing[component] = f"no RAPL counter in {powercap}"
        if component not in missing:
            kept += _distinct(counters)
    return kept, missing


def _label(zone: Path) -> str:
    try:
        return (zone / "name").read_text().strip()
    except OSError:
        return ""


def _distinct(counters: Sequence[Rapl]) -> list[Rapl]:
    """One counter per socket; several dies may show the same one (codecarbon issue 1274)."""
    kept: list[Rapl] = []
    for counter in counters:
        if all(abs(counter.first_j - other.first_j) > _SAME_COUNTER_J for other in kept):
            kept.append(counter)
    return kept


class Meters:
    """Everything that is read on this machine.

    ``country``: for codecarbon, which fills in processor and memory; "" to leave it out.
    ``methods``: component → how its joules are known.
    ``unknown``: component → why they aren't.
    ``uncounted``: component → why no counter covers it, also when codecarbon steps in.
    """

    def __init__(
        self, counters: Sequence[Counter], uncounted: dict[str, str], country: str
    ) -> None:
        self.methods = {counter.component: counter.method for counter in counters}
        self.uncounted = uncounted
        self._counters, self._last = counters, list[float]()
        self._model: Codecarbon | None = None
        self._modelled: list[str] = []
        failed = ""
        if not {"cpu", "memory"} <= self.methods.keys() and country:
            try:
                self._model = Codecarbon(country)
            except Exception as error:  # whatever a tracker raises, the point goes on without it
                failed = f"; codecarbon failed ({str(error) or type(error).__name__})"
        if self._model is not None:
            self._modelled = [part for part in self._model.methods if part not in self.methods]
            self.methods |= {part: self._model.methods[part] for part in self._modelled}
        self.unknown = {
            part: why + failed for part, why in uncounted.items() if part not in self.methods
        }

    def start(self) -> None:
        """Read the counters and begin to count."""
        self._last = [counter.joules() for counter in self._counters]
        if self._model is not None:
            self._model.start()

    def lap(self) -> dict[str, float]:
        """Component → joules since ``start`` or the last lap; the next lap begins."""
        now, before = [counter.joules() for counter in self._counters], self._last
        joules = dict.fromkeys(self.methods, 0.0)
        for counter, a, b in zip(self._counters, before, now, strict=True):
            joules[counter.component] += b - a
        self._last = now
        if self._model is not None:
            modelled = self._model.stop()
            self._model.start()
            joules |= {part: modelled[part] for part in self._modelled}
        return joules

    def close(self) -> None:
        """Stop codecarbon; one that fails now no longer matters. May be called twice."""
        model, self._model = self._model, None
        if model is not None:
            with suppress(Exception):
                model.close()
