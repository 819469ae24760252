"""Energy of a window of calls, by codecarbon, with the method of each component beside the joules."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from asr_scaling.caution import estimated_energy
from asr_scaling.errors import ConfigError
from asr_scaling.pipeline import Session
from asr_scaling.ports import Phase
from asr_scaling.record import Findings, Metric

_J_PER_KWH = 3.6e6
_METRICS = ("energy/total_j", "energy/per_sample_j", "energy/per_audio_second_j")


@dataclass(frozen=True)
class Energy:
    """``min_seconds``: the window grows to this, since codecarbon's figures under 0.1 s mean nothing.

    ``country``: ISO code, for codecarbon's offline tracker; joules do not depend on it.
    """

    min_seconds: float = 2.0
    country: str = "USA"
    name: str = field(default="energy", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def __post_init__(self) -> None:
        if self.min_seconds < 0.5:
            raise ConfigError(f"profiler.energy.min_seconds must be at least 0.5; got {self.min_seconds}.")

    def measure(self, session: Session) -> Findings:
        """Joules of one window of calls, read at its ends only."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # codecarbon uses deprecated calls of pandas and pynvml
            tracker = self._tracker()
            methods = _methods(tracker)
            try:
                tracker.start_task("window")
                samples, audio_s, window_s = self._window(session)
                joules = tracker.stop_task("window").energy_consumed * _J_PER_KWH
            finally:
                tracker.stop()
        tags = {f"energy/method_{part}": method for part, method in methods.items()}
        tags["energy/method"] = _overall(methods)
        if joules <= 0:
            reason = "codecarbon reported no energy for this window"
            return Findings(unavailable=dict.fromkeys(_METRICS, reason), tags=tags | {"energy/method": "unavailable"})
        return Findings(
            (
                Metric("energy/total_j", joules, 1),
                Metric("energy/window_s", window_s, 1),
                Metric("energy/power_w", joules / window_s, 1),
                Metric("energy/per_sample_j", joules / samples, samples),
                Metric("energy/per_audio_second_j", joules / audio_s, samples),
            ),
            cautions=_cautions(methods),
            tags=tags,
        )

    def _window(self, session: Session) -> tuple[int, float, float]:
        """Call batch after batch until the window is long enough: utterances, audio seconds, wall seconds."""
        start, samples, audio_s = time.perf_counter(), 0, 0.0
        for batch in cycle(session.batches):
            session.timed(batch)
            samples, audio_s = samples + len(batch), audio_s + batch.audio_s
            window_s = time.perf_counter() - start
            session.progress.advance(min(1.0, window_s / self.min_seconds))
            if window_s >= self.min_seconds:
                break
        return samples, audio_s, window_s

    def _tracker(self) -> Any:
        from codecarbon import OfflineEmissionsTracker

        logging.getLogger("codecarbon").disabled = True  # it speaks before log_level is heard
        tracker = OfflineEmissionsTracker(
            country_iso_code=self.country,
            save_to_file=False,
            log_level="critical",
            allow_multiple_runs=True,
            measure_power_secs=3600,  # read at the window's ends only
        )
        tracker.start()
        return tracker


def _methods(tracker: Any) -> dict[str, str]:
    """Component → "measured …", "estimated …" or "unavailable", from what codecarbon really uses.

    codecarbon models memory's power from the number of modules, and the CPU's from load and TDP unless RAPL answers.
    """
    found = {"cpu": "unavailable", "memory": "unavailable", "gpu": "unavailable"}
    for hardware in tracker._hardware:
        kind = type(hardware).__name__
        if kind == "CPU":
            mode = getattr(hardware, "_mode", "unknown")
            measured = mode in ("intel_rapl", "intel_power_gadget")
            found["cpu"] = f"measured by {mode}" if measured else f"estimated from {mode}"
        elif kind == "RAM":
            found["memory"] = "estimated from memory size"
        elif kind == "GPU":
            found["gpu"] = "measured by NVML"
        elif kind == "AppleSiliconChip":
            found["cpu"] = "measured by powermetrics"
    if found["cpu"] == "measured by intel_rapl" and not Path("/sys/class/powercap/intel-rapl").exists():
        found["cpu"] = "estimated from cpu_load"
    return found


def _overall(methods: dict[str, str]) -> str:
    """The weakest of the methods that contribute: a sum is measured only when all of it is."""
    words = {method.split()[0] for method in methods.values()} - {"unavailable"}
    if not words:
        return "unavailable"
    return "estimated" if "estimated" in words else "measured"


def _cautions(methods: dict[str, str]) -> tuple[Any, ...]:
    parts = [f"{part} {method}" for part, method in methods.items() if method.startswith("estimated")]
    return (estimated_energy(", ".join(parts)),) if parts else ()
