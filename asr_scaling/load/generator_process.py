"""The process that keeps a schedule: it sleeps until a request is due and writes that it is.

It is run as a file, by an interpreter without site packages, and imports only what it needs. From
standard input it reads the due times, on the clock of ``time.monotonic``; to standard output it
writes ``READY``, which says what scheduling it got, and one ``FIRED`` for each request.
"""

import contextlib
import os
import struct
import sys
import time

PRIORITY = 10
"""Of SCHED_RR, as ``chrt -r 10``."""
SHARE = 0
"""Scheduled as any process."""
NICE = 1
"""Scheduled before others."""
REAL_TIME = 2
"""Scheduled before all that is not real time."""
READY, COUNT = struct.Struct("=q"), struct.Struct("=q")
FIRED = struct.Struct("=qd")
"""Number of a request, from 0, and when it was sent, in seconds."""
_LOOK_S = 0.2
"""Seconds between two looks whether the parent still lives."""


def first_in_line() -> int:
    """Ask to be scheduled before others; returns what was granted."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
            return REAL_TIME
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -PRIORITY)
            return NICE
    return SHARE


def sleep_until(due_s: float, parent: int) -> None:
    """Sleep to an absolute time; exits once the parent is gone."""
    while (left_s := due_s - time.monotonic()) > 0:
        time.sleep(min(left_s, _LOOK_S))
        if hasattr(os, "getppid") and os.getppid() != parent:
            sys.exit(0)


def main() -> None:
    """Fire at each due time. What is late is fired at once, with the time that it then is."""
    parent = int(sys.argv[1])
    source, target = sys.stdin.buffer, sys.stdout.fileno()
    os.write(target, READY.pack(first_in_line()))
    head = source.read(COUNT.size)
    if len(head) < COUNT.size:
        return
    (count,) = COUNT.unpack(head)
    due = struct.unpack(f"={count}d", source.read(8 * count))
    for number, due_s in enumerate(due):
        sleep_until(due_s, parent)
        os.write(target, FIRED.pack(number, time.monotonic()))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
