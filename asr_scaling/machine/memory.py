"""Resident memory of this process: now, at its peak, and how to give freed memory back first."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil

from asr_scaling.core.ports import Peak

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MUCH = 100_000
"""Objects that are not frozen; to walk through them takes about 50 ms."""


def resident_bytes() -> int:
    """Resident set size of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def release_memory(freeze: bool = False) -> None:
    """Collect garbage and return freed heap pages to the system, for a true next baseline.

    ``freeze``: later collections need not walk through what is there now (imported modules, when no model is loaded);
    that takes pauses of a third of a second out of what is measured next. It is done anew when much has come since, as
    other imports do, and then what was frozen before and is garbage by now goes first. What single points leave is not
    much, so it is never frozen: a sweep of a thousand points leaves nothing behind.
    """
    anew = freeze and len(gc.get_objects()) > _MUCH
    if anew:
        gc.unfreeze()
    gc.collect()
    if anew:
        gc.freeze()
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another libc: the baseline keeps what it kept
            return


@contextmanager
def peak_resident(sampling: bool = True) -> Iterator[Peak]:
    """Peak resident memory of the block, by the kernel's high-water mark (proc(5)).

    Without one: by sampling if ``sampling``, else not at all (``method`` stays empty).
    """
    peak = Peak()
    try:
        _CLEAR_REFS.write_text("5", encoding="ascii")  # resets VmHWM, proc(5)
    except OSError:
        with _sampled(peak) if sampling else nullcontext():
            yield peak
        return
    peak.method = "kernel high-water mark"
    try:
        yield peak
    finally:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                peak.bytes = int(line.split()[1]) * 1024


@contextmanager
def _sampled(peak: Peak, period_s: float = 0.005) -> Iterator[None]:
    peak.method = f"sampled every {period_s * 1000:g} ms"
    process, stop = psutil.Process(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak.bytes = max(peak.bytes, int(process.memory_info().rss))
            time.sleep(period_s)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
