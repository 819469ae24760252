"""Whether memory that a call frees goes back to the kernel, as glibc has it with large blocks, or is kept."""

from __future__ import annotations

import ctypes
from typing import Any

from asr_scaling.errors import DeviceError

HEAPS = ("release", "keep")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3), from glibc's malloc.h."""
_KEEP = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}
"""No block is mapped on its own, and the top of the heap is never given back."""
_RELEASE = {_M_MMAP_MAX: 65_536, _M_MMAP_THRESHOLD: 32 << 20, _M_TRIM_THRESHOLD: 64 << 20}
"""Where the thresholds of a process that nobody told anything end, once it has freed large blocks: glibc raises them
to these bounds (DEFAULT_MMAP_THRESHOLD_MAX of malloc.c, and twice that), and no longer by itself once one was set."""


class Heap:
    """The heap of this process. ``library``: the C library, another one in tests."""

    def __init__(self, library: Any = None) -> None:
        self._library, self._kept = library, False
        self.kept_before = False
        """Blocks that were once kept inside the heap are used again without a fault, whatever is set since."""

    def set(self, heap: str) -> None:
        """ "keep" or "release" from now on. DeviceError where the C library has no such setting or refuses it.

        A process in which nobody asked for "keep" is left as it is.
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
