"""Arrays that lie in a file and are mapped into memory: recordings of hours."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 20
"""Values that are looked at together: 65 s of speech, 4 MB."""


def mapped(path: Path) -> NDArray[np.float32]:
    """The float32 values of a file, shape ``[values]``, read-only; read when they are used.

    Raises OSError, and ValueError for an empty file or one that does not hold whole values.
    """
    return np.asarray(np.memmap(path, np.float32, mode="r"))


def release(array: NDArray[Any]) -> None:
    """Drop the resident pages of a mapped array, or of the one that ``array`` is a part of.

    They are read again from the file when they are used. Other arrays stay as they are, and so do
    maps that may have been written to.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode != "r":
            return
        base = base.base
    drop = getattr(mmap, "MADV_DONTNEED", None)  # not every system has it
    if isinstance(base, mmap.mmap) and drop is not None and not base.closed:
        base.madvise(drop)


def in_blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """``array``, shape ``[values]``, piece by piece; of a mapped one no more is ever resident."""
    for start in range(0, len(array), BLOCK):
        yield array[start : start + BLOCK]
        release(array)
