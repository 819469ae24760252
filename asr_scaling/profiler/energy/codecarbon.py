"""codecarbon as a meter: its model of processor and memory, without its thread."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_J_PER_KWH = 3.6e6
_RAPL = Path("/sys/class/powercap/intel-rapl")


class Codecarbon:
    """codecarbon's tasks, read at both ends only (0.5 ms each).

    ``methods``: component → how codecarbon knows its energy.
    """

    def __init__(self, country: str) -> None:
        self._open = False
        with _quiet():
            from codecarbon import OfflineEmissionsTracker

            logging.getLogger("codecarbon").disabled = True  # it speaks before log_level is heard
            self._tracker = OfflineEmissionsTracker(
                country_iso_code=country,
                save_to_file=False,
                log_level="critical",
                allow_multiple_runs=True,
                force_mode_cpu_load=_RAPL.exists(),  # counters that refused us refuse it too
            )
        self.start()  # looks for the hardware: 1.5 s once, which must not fall into a window
        self.stop()
        self.methods = dict(filter(None, map(_method, self._tracker._hardware)))

    def start(self) -> None:
        """Begin to count; what was counted and not asked for is dropped."""
        if self._open:
            self.stop()
        with _quiet():
            self._tracker.start_task()
            self._open = True
            # Every task has a thread that samples once a second, in the middle of a timed call
            # too, and no option turns it off. Stopping a task that nobody started stops the
            # thread and leaves ours open.
            with suppress(KeyError):
                self._tracker.stop_task("the sampling thread")

    def stop(self) -> dict[str, float]:
        """Component → joules since ``start``."""
        self._open = False
        with _quiet():
            done = self._tracker.stop_task()
        return {"cpu": done.cpu_energy * _J_PER_KWH, "memory": done.ram_energy * _J_PER_KWH}

    def close(self) -> None:
        """Stop the tracker."""
        with _quiet():
            self._tracker.stop()


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # codecarbon uses deprecated calls of pandas and pynvml
        yield


def _method(hardware: Any) -> tuple[str, str] | None:
    """(component, method) of a piece of codecarbon's hardware; None for one that isn't used."""
    kind, mode = type(hardware).__name__, getattr(hardware, "_mode", "unknown")
    chip = {"CPU": "cpu", "RAM": "memory"}.get(getattr(hardware, "chip_part", ""))
    if kind == "RAM":
        return "memory", "estimated from memory size by codecarbon"
    if kind == "CPU" and mode != "intel_rapl":
        if mode in ("intel_power_gadget", "windows_emi"):
            return "cpu", f"measured by {mode} through codecarbon"
        return "cpu", f"estimated from {mode} by codecarbon"
    if kind in ("AppleSiliconChip", "Raspberry") and chip is not None:
        source = "powermetrics" if kind == "AppleSiliconChip" else "the board's power controller"
        return chip, f"measured by {source} through codecarbon"
    return None
