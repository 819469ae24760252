"""Resident memory of this process: now, at its peak, and how to give freed memory back first."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MUCH = 100_000
"""Number of objects that are not frozen; a collection of them takes about 50 ms."""


@dataclass
class Peak:
    """The most memory that the process held while a block of code ran.

    ``bytes``: set when the block ends.
    ``method``: how it was found.
    """

    bytes: int = 0
    method: str = ""


def resident_bytes() -> int:
    """Resident set size of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def file_bytes() -> int | None:
    """Bytes of it that are pages of files; None where the kernel does not tell them apart."""
    return _status("RssFile") if _STATUS.exists() else None


def _status(name: str) -> int | None:
    """A size that the kernel tells of this process (proc(5)), in bytes."""
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


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
    _trim()


def _trim() -> None:
    """Return the heap's freed pages to the system."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another libc keeps its freed pages
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@dataclass
class HeapGuard:
    """Keeps the heap of a long call from growing by what its parts have freed.

    Parts of many sizes leave holes that later ones don't fit into: an hour of speech in batches of
    any length left 200 MB of them.

    most_bytes: by so much the process may grow before freed pages are returned.
    """

    most_bytes: int = 48 << 20
    _floor: int = field(default_factory=resident_bytes)

    def look(self) -> None:
        """Return freed pages where the process has grown by too much."""
        if resident_bytes() > self._floor + self.most_bytes:
            _trim()
            self._floor = resident_bytes()


@contextmanager
def peak_resident() -> Iterator[Peak]:
    """Peak resident memory of the block, by the kernel's high-water mark (proc(5)).

    ru_maxrss of getrusage(2) would not do: a process inherits it from the one that started it.
    Where the kernel has no such mark, memory is sampled.
    """
    peak = Peak()
    try:
        _CLEAR_REFS.write_text("5", encoding="ascii")  # resets VmHWM, proc(5)
    except OSError:
        with _sampled(peak):
            yield peak
        return
    peak.method = "kernel high-water mark"
    try:
        yield peak
    finally:
        peak.bytes = _status("VmHWM") or resident_bytes()


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
