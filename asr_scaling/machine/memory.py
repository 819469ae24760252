"""Resident memory of this process: now, at its peak, and how to give freed memory back first."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil

from asr_scaling.core.ports import Peak

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MUCH = 100_000
"""Number of objects that are not frozen; a collection of them takes about 50 ms."""


def resident_bytes() -> int:
    """Resident set size of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def release_memory(freeze: bool = False) -> None:
    """Collect garbage and return freed heap pages to the system, before memory is measured.

    freeze: whether later collections may skip the objects that exist now, such as imported modules;
        this avoids pauses of a third of a second in what is measured next. Done only when there
        are many new objects, so that what single points leave is never frozen; objects frozen
        before that have become garbage are freed first.
    """
    freeze = freeze and len(gc.get_objects()) > _MUCH
    if freeze:
        gc.unfreeze()
    gc.collect()
    if freeze:
        gc.freeze()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another libc keeps its freed pages
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def peak_resident(sampling: bool = True) -> Iterator[Peak]:
    """Peak resident memory of the block, by the kernel's high-water mark (proc(5)).

    sampling: whether to sample where the kernel has no such mark; if not, ``method`` stays empty.
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
