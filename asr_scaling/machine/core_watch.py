"""Looks which core works for which module, many times a second, while a cascade runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread, get_native_id

from asr_scaling.machine.thread_owners import ThreadOwners, thread_times

_TASKS, _PROCESSOR = Path("/proc/self/task"), 36
"""Place of the core among what a thread's ``stat`` says after its name (man proc: field 39)."""
_EVERY_S = 0.05
_BUSY = 0.2
"""A core that works less than this share of a look's time is called idle."""


@dataclass(frozen=True)
class CoreUse:
    """A stretch in which a core worked mostly for one module.

    core: number of the core.
    module: whose threads ran there.
    start_s, end_s: seconds from the beginning of the call.
    """

    core: int
    module: str
    start_s: float
    end_s: float


@contextmanager
def watched_cores(owners: ThreadOwners, caller: str) -> Iterator[list[CoreUse]]:
    """In this block a thread looks at the cores; the list is filled when the block ends.

    It stays empty where the system doesn't tell which core a thread ran on.
    caller: the module that the calling thread works for.
    """
    found: list[CoreUse] = []
    done, main = Event(), get_native_id()
    looks: list[tuple[float, float, dict[int, dict[str, float]]]] = []

    def look() -> None:
        begin_s, before = time.perf_counter(), thread_times()
        since_s = begin_s
        own = get_native_id()
        while not done.wait(_EVERY_S):
            now_s, now = time.perf_counter(), thread_times()
            cores: dict[int, dict[str, float]] = {}
            for thread, seconds in now.items():
                used = seconds - before.get(thread, seconds)
                core = _core(thread) if used > 0 and thread != own else None
                if core is not None:
                    module = caller if thread == main else owners.owner(thread)
                    by = cores.setdefault(core, {})
                    by[module] = by.get(module, 0.0) + used
            looks.append((since_s - begin_s, now_s - begin_s, cores))
            since_s, before = now_s, now

    thread = Thread(target=look, name="core-watch", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()
        found += _stretches(looks)


def _core(thread: int) -> int | None:
    """The core that a thread ran on last; None where that can't be read."""
    try:
        text = (_TASKS / str(thread) / "stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[_PROCESSOR])
    except (OSError, ValueError, IndexError):
        return None


def _stretches(
    looks: list[tuple[float, float, dict[int, dict[str, float]]]],
) -> list[CoreUse]:
    """Neighbouring looks in which a core worked for the same module become one stretch."""
    open_: dict[int, CoreUse] = {}
    found: list[CoreUse] = []
    for start_s, end_s, cores in looks:
        busiest = {
            core: max(by, key=by.__getitem__)
            for core, by in cores.items()
            if sum(by.values()) > _BUSY * (end_s - start_s)
        }
        for core in {*open_, *busiest}:
            module, last = busiest.get(core), open_.get(core)
            if last is not None and last.module == module and last.end_s == start_s:
                open_[core] = CoreUse(core, last.module, last.start_s, end_s)
                continue
            if last is not None:
                found.append(open_.pop(core))
            if module is not None:
                open_[core] = CoreUse(core, module, start_s, end_s)
    return sorted([*found, *open_.values()], key=lambda use: (use.core, use.start_s))
