"""Threads, cores and heap of this process, which every point sets, whichever device it is on."""

from __future__ import annotations

import os

from asr_scaling.device._glibc_heap import HEAP
from asr_scaling.errors import DeviceError
from asr_scaling.machine.threads import ALL_CORES, use_threads

_ALL_CORES = list(ALL_CORES)


def set_host(threads: int | None = None, pinned: bool = False, heap: str = "release") -> list[int]:
    """Sets all three, so that nothing is left of what an earlier point set.

    threads: that compute; None for one per usable core.
    pinned: keep them on the first cores.
    heap: one of ``HEAPS``.
    Returns the usable cores. Raises DeviceError when that is not possible here.
    """
    cores = _ALL_CORES or list(range(os.cpu_count() or 1))
    threads = threads or len(cores)
    if pinned and threads > len(cores):
        raise DeviceError(
            f"device.pinned=true needs {threads} cores and this process may use {len(cores)}."
        )
    if pinned and not _ALL_CORES:
        raise DeviceError(
            "device.pinned=true is not possible on this operating system; leave it out."
        )
    if _ALL_CORES:
        os.sched_setaffinity(0, cores[:threads] if pinned else cores)
    use_threads(threads)
    HEAP.set(heap)
    return cores


class NoDeviceMemory:
    """A CPU has no memory of its own: the process's resident memory is what counts."""

    def reset(self) -> None:
        """Nothing to forget."""

    def peak_bytes(self) -> int | None:
        """Not known, because there is none."""
        return None
