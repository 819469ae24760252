"""How many threads compute, in torch and in engines that do without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ALL_CORES = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
"""What this process may use, read before anything is pinned; empty where the system does not
tell."""
_IN_FORCE: list[int] = []
"""The number that was set last; empty before any was."""


def use_threads(count: int) -> None:
    """``count`` threads compute from now on."""
    _IN_FORCE[:] = [count]
    tell_torch()


def tell_torch() -> None:
    """Give torch the number that is in force; whoever imports torch calls this.

    Nothing is imported here, since many engines run without torch.
    """
    torch = sys.modules.get("torch")
    if torch is not None and _IN_FORCE:
        torch.set_num_threads(_IN_FORCE[0])


def threads() -> int:
    """The number in force; before any was set that of usable cores."""
    if _IN_FORCE:
        return _IN_FORCE[0]
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return len(cores) or os.cpu_count() or 1


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """In this block a package may set torch's number of threads: it is set back at the end."""
    import torch

    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)
