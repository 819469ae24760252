"""Which module a thread of this process works for, and how much processor time it used.

A library keeps threads of its own: they compute for one module, and often wait in a loop while
another one works, which costs processor time too. So processor time is counted by thread, and each
thread belongs to the module that it was first seen to work for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from threading import get_native_id

_TASKS = Path("/proc/self/task")
_NANO = 1e-9
OTHERS = ""
"""Owner of threads that work for no module."""


def thread_times() -> dict[int, float]:
    """Native id of each thread of this process → processor seconds so far.

    Empty where the system does not tell. Linux: the first number in a thread's ``schedstat``, which
    is nanoseconds.
    """
    times: dict[int, float] = {}
    try:
        names = os.listdir(_TASKS)
    except OSError:
        return {}
    for name in names:
        try:
            text = (_TASKS / name / "schedstat").read_bytes()
            times[int(name)] = int(text.split()[0]) * _NANO
        except (OSError, ValueError, IndexError):
            continue  # the thread has ended, or this kernel keeps no such figures
    return times


class ThreadOwners:
    """Learns owners while one module after the other works, and counts by them afterwards."""

    def __init__(self) -> None:
        self._owners: dict[int, str] = {}
        self._seen = thread_times()
        self._worked: dict[int, dict[str, float]] = {}

    @property
    def known(self) -> bool:
        """Whether this system tells the processor time of a thread."""
        return bool(self._seen)

    def own(self, module: str) -> None:
        """The calling thread works for ``module`` alone."""
        self._owners[get_native_id()] = module

    def forget_idle(self) -> None:
        """What threads did until now counts for nobody."""
        self._seen = thread_times()

    def worked(self, module: str) -> None:
        """Only ``module`` has worked since the last time that this, or ``forget_idle``, was called.

        A thread that is new works for it. So did one that nobody owns and that used processor time.
        """
        now = thread_times()
        for thread, seconds in now.items():
            if thread not in self._seen:
                self._owners.setdefault(thread, module)
            used = seconds - self._seen.get(thread, 0.0)
            if thread not in self._owners and used > 0:
                by = self._worked.setdefault(thread, {})
                by[module] = by.get(module, 0.0) + used
        self._seen = now

    def settle(self) -> None:
        """Give each thread to the module that it worked most for, now that all have worked."""
        for thread, by in self._worked.items():
            self._owners.setdefault(thread, max(by, key=by.__getitem__))
        self._worked.clear()

    def owner(self, thread: int) -> str:
        """The module that a thread, by its native id, works for."""
        return self._owners.get(thread, OTHERS)

    def used(self, before: Mapping[int, float], after: Mapping[int, float]) -> dict[str, float]:
        """Owner → processor seconds between two readings of ``thread_times``."""
        seconds: dict[str, float] = {}
        for thread, now in after.items():
            owner = self.owner(thread)
            seconds[owner] = seconds.get(owner, 0.0) + now - before.get(thread, 0.0)
        return seconds
