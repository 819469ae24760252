"""Energy with provenance: each component is measured, estimated or unavailable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

from asr_scaling.core.cautions import Caution
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Device, Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import ConfigError
from asr_scaling.profiler.energy.accounting import (
    Readings,
    Window,
    account,
    counted,
    reservations,
)
from asr_scaling.profiler.energy.meters import (
    Counter,
    Found,
    GivenWatts,
    Meters,
    Watts,
    find_counters,
)

_POLL_S, _POLLING_S = 0.0005, 1.5
_PERIODS = 6
_IDLE_LIMIT_S, _ROUNDING_S = 5.0, 1e-6


@dataclass(frozen=True)
class Energy:
    """Joules of the timed calls per component (cpu, memory, gpu), gross and above idle.

    The total holds the component that computes. When that is measured, the total holds whatever
    else is measured and nothing estimated: a GPU run with NVML's counter reads "measured", and its
    processor is in the total only when RAPL measures it. When it is estimated, the total holds all
    that is known and reads "estimated". When it is unknown, there is no total. Every component also
    has a metric and tag.

    ``min_seconds``: of a window, at least; codecarbon's figures under 0.1 s mean nothing.
    ``ticks``: periods of the slowest counter in a window, at least (NVML's period is about 0.1 s).
    ``windows``: what the timed pass leaves missing of them is made up by more calls.
    ``max_seconds``: of these calls, once there is one window.
    ``idle_seconds``: of the idle machine before loading, raised to ``ticks`` periods but to 5 s at
    most; 0 leaves it out.
    ``idle_w``, ``busy_w``: watts of the whole machine, idle and with all cores busy. Where they are
    given, they count instead of the processor's counter and of codecarbon.
    ``watts_from``: where they come from, as "meter at the plug, 2026-11".
    ``country``: ISO code for codecarbon's offline tracker; joules do not depend on it.
    ``find``: finds the device's counters; tests replace it.
    """

    windows: int = 3
    min_seconds: float = 1.0
    ticks: int = 50
    max_seconds: float = 12.0
    idle_seconds: float = 0.5
    idle_w: float | None = None
    busy_w: float | None = None
    watts_from: str | None = None
    country: str = "USA"
    find: Callable[[Device], Found] = field(default=find_counters, repr=False)
    name: str = field(default="energy", init=False)
    phase: Phase = field(default="timed", init=False)

    def __post_init__(self) -> None:
        bounds = {
            "windows": (self.windows >= 1, "at least 1"),
            "min_seconds": (self.min_seconds >= 0.5, "at least 0.5"),
            "ticks": (self.ticks >= 1, "at least 1"),
            "max_seconds": (self.max_seconds >= 0, "0 or more"),
            "idle_seconds": (
                not self.idle_seconds or self.idle_seconds >= 0.5,
                "0 or at least 0.5",
            ),
        }
        for name, (fits, bound) in bounds.items():
            must_be(f"profiler.energy.{name}", getattr(self, name), fits, bound)
        self.watts()

    def watts(self) -> Watts | None:
        """What the user knows of the machine's power; None where nothing was given.

        Raises ConfigError when a part is missing or they can't be watts of one machine.
        """
        idle, busy = self.idle_w, self.busy_w
        source = str(self.watts_from or "").strip()
        if idle is None and busy is None and not source:
            return None
        if idle is None or busy is None or not source or not 0 < idle <= busy < math.inf:
            raise ConfigError(
                "profiler.energy.idle_w and busy_w need each other and watts_from: give the watts "
                "of the idle machine, those with all cores busy, which are as many or more, and "
                "where they come from, as profiler.energy.watts_from='meter at the plug'."
            )
        return Watts(idle, busy, source)

    def watch(self, device: Device) -> EnergyWatch:
        """Finds the meters, times their ticks and measures the idle machine before loading."""
        return EnergyWatch(self, device)

    def measure(self, session: Session) -> Findings:
        """The windows of the timed pass, and as many more as are missing."""
        watch = cast(EnergyWatch, session.watches[self.name])
        if watch.useful and len(watch.readings.windows) < self.windows:
            self._more(session, watch)
        return account(watch.readings, self.ticks)

    def _more(self, session: Session, watch: EnergyWatch) -> None:
        start = time.perf_counter()
        watch.begin()
        for batch in cycle(session.batches):
            session.transcribe(batch)
            watch.after(batch)
            spent, done = time.perf_counter() - start, len(watch.readings.windows)
            session.progress.advance(min(1.0, done / self.windows))
            if not watch.useful or done >= self.windows or (done and spent >= self.max_seconds):
                return


class EnergyWatch:
    """Reads the meters between calls, never within one, and only where a window ends."""

    def __init__(self, energy: Energy, device: Device) -> None:
        self._counters, uncounted = energy.find(device)
        watts = energy.watts()
        if watts is not None:
            others = [counter for counter in self._counters if counter.component == "gpu"]
            self._counters = [GivenWatts(watts), *others]
            uncounted |= {"cpu": "watts were given", "memory": "within the given watts"}
        periods = list(zip(self._counters, tick_periods(self._counters), strict=True))
        still = {counter.component for counter, period_s in periods if period_s is None}
        uncounted |= dict.fromkeys(still, f"its counter did not move in {_POLLING_S} s")
        moving = [counter for counter in self._counters if counter.component not in still]
        self._meters = Meters(moving, uncounted, "" if watts else energy.country)
        self.readings = Readings(
            uses="gpu" if device.kind == "cuda" else "cpu",
            methods=self._meters.methods,
            unknown=self._meters.unknown,
            uncounted=uncounted,
            period_s=max((period_s for _, period_s in periods if period_s), default=None),
        )
        enough_s = energy.ticks * (self.readings.period_s or 0.0)
        self._length_s = max(energy.min_seconds, enough_s) - _ROUNDING_S
        if energy.idle_seconds:
            self.begin()
            time.sleep(max(energy.idle_seconds, min(enough_s, _IDLE_LIMIT_S)))
            self.readings.idle = self._lap()

    @property
    def useful(self) -> bool:
        """Whether more windows would tell more."""
        return not self.readings.failed and self.readings.uses in self.readings.methods

    def begin(self) -> None:
        """A window begins; one that was open is dropped."""
        self._samples, self._audio_s = 0, 0.0
        self._beside_s = 0.0
        self._since = time.perf_counter()
        try:
            self._meters.start()
        except Exception as error:
            self._fail(error)

    def after(self, batch: AudioBatch) -> None:
        """Count the work; a window that is long enough ends, and the next begins."""
        self._samples, self._audio_s = self._samples + len(batch), self._audio_s + batch.audio_s
        if time.perf_counter() - self._since >= self._length_s and (window := self._lap()):
            self.readings.windows.append(window)

    def beside(self, seconds: float) -> None:
        """The open window is shorter by ``seconds``, and by as large a share of its joules.

        The meters can't tell a probe of milliseconds from the calls beside it: most tick more
        slowly. Probes take 3 % of a window at most, so that even one that draws half a call's power
        leaves the joules of the calls right within 1.5 %.
        """
        self._beside_s += seconds

    def spent_j(self) -> float | str:
        """Joules since ``begin`` or the last call, of the components that make the total."""
        readings, window = self.readings, self._lap()
        if window is None:
            return readings.failed
        if readings.uses not in readings.methods:
            why = readings.unknown[readings.uses]
            return f"the {readings.uses} computes, and its energy is unknown: {why}"
        _, parts = counted(readings.methods, readings.uses)
        return window.of(parts)

    def reservations(self, watts: float) -> tuple[Caution, ...]:
        """What must stand beside joules that no counter measured."""
        return reservations(self.readings, self.readings.methods, watts)

    def close(self) -> None:
        """Stops codecarbon and shuts NVML down, whatever a driver raises. May be called twice."""
        self._meters.close()
        for counter in self._counters:
            with suppress(Exception):
                counter.close()

    def _lap(self) -> Window | None:
        if self.readings.failed:
            return None
        now = time.perf_counter()
        try:
            joules, wall_s = self._meters.lap(), now - self._since
        except Exception as error:
            self._fail(error)
            return None
        share = 1 - self._beside_s / wall_s if self._beside_s else 1.0
        joules = {part: share * spent for part, spent in joules.items()}
        window = Window(share * wall_s, joules, self._samples, self._audio_s)
        self._samples, self._audio_s = 0, 0.0
        self._beside_s = 0.0
        self._since = now
        return window

    def _fail(self, error: Exception) -> None:
        """Makes energy unavailable; the point goes on, whatever a vanished counter raises."""
        why = str(error) or type(error).__name__
        self.readings.failed = f"reading the energy meters failed ({why})"


def tick_periods(counters: Sequence[Counter]) -> list[float | None]:
    """Mean seconds between ticks of each counter; None for one that did not move in 1.5 s.

    They are read until each has ticked seven times, at most for 1.5 s. A counter that ticks
    faster than it is read reads slower than it is, which is safe.
    """
    last: list[float | None] = [None] * len(counters)
    ticks: list[list[float]] = [[] for _ in counters]
    start = now = time.perf_counter()
    while counters and now - start < _POLLING_S and min(map(len, ticks)) <= _PERIODS:
        time.sleep(_POLL_S)
        now = time.perf_counter()
        for i, counter in enumerate(counters):
            with suppress(Exception):  # one that no longer answers doesn't change
                before, last[i] = last[i], counter.joules()
                if before is not None and last[i] != before:
                    ticks[i].append(now)
    return [(t[-1] - t[0]) / (len(t) - 1) if len(t) > 1 else None for t in ticks]
