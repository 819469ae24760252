"""Arrays that are mapped from files: what is read of them need not stay in memory."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def release(array: np.ndarray[Any, Any]) -> None:
    """Drop the resident pages of a mapped array, which are read again from its file when needed.

    Nothing happens to other arrays.
    array: a ``numpy.memmap`` or a view of one.
    """
    base: Any = array
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    if base is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    mapping: Any = getattr(base, "_mmap", None)
    if isinstance(mapping, mmap.mmap):
        mapping.madvise(mmap.MADV_DONTNEED)
