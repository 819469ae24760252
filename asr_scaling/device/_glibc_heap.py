"""Whether memory that a call frees goes back to the kernel or stays with the process."""

from __future__ import annotations

import ctypes
from typing import Any

from asr_scaling.errors import DeviceError

HEAPS = ("release", "keep")
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
"""Parameters of mallopt(3), from glibc's malloc.h."""
_KEEP = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}
"""No block is mapped on its own, and the top of the heap is never given back."""
_RELEASE = {_M_MMAP_MAX: 65_536, _M_MMAP_THRESHOLD: 32 << 20, _M_TRIM_THRESHOLD: 64 << 20}
"""Thresholds that glibc reaches by itself after large blocks were freed.

They are DEFAULT_MMAP_THRESHOLD_MAX of malloc.c and twice that. Setting one of them ends this
adjustment, so both are set to these bounds."""


class Heap:
    """The heap of this process.

    ``library``: the C library; tests replace it.
    """

    def __init__(self, library: Any = None) -> None:
        self._library, self._kept = library, False
        self.kept_before = False
        """Blocks once kept in the heap are used again without a fault, whatever is set since."""

    def set(self, heap: str) -> None:
        """Sets "keep" or "release" from now on.

        A process where "keep" was never set stays as it is.
        Raises DeviceError when the C library has no such setting or refuses it.
        """
        if (heap == "keep") == self._kept:
            return
        library = self._library or _glibc()
        if library is None:
            raise DeviceError("device.heap=keep needs Linux with glibc; leave it out here.")
        for parameter, value in (_KEEP if heap == "keep" else _RELEASE).items():
            if not library.mallopt(parameter, value):
                raise DeviceError(
                    f"device.heap={heap} was refused by this C library; leave it out."
                )
        self._kept = heap == "keep"
        self.kept_before = True
        if not self._kept:
            library.malloc_trim(0)


HEAP = Heap()
"""The one of this process."""


def _glibc() -> Any:
    """glibc, or None where the process has another C library."""
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "gnu_get_libc_version") else None
