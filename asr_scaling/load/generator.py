"""The generator: a process of its own that keeps a schedule, seen from the process that measures.

It imports nothing heavy, sleeps to absolute times in its only thread, and asks for real-time
scheduling where it may: beside a busy engine its 99th percentile is then below 0.1 ms late, and 15
ms otherwise. It is tied to no core: with real-time scheduling whatever runs on a core makes room,
and without it nothing would keep others away from a core of its own.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

from asr_scaling.load import generator_process
from asr_scaling.load.generator_process import COUNT, FIRED, NICE, PRIORITY, READY, REAL_TIME, SHARE

Fired = tuple[int, float]
"""Number of a request, from 0, and when it was sent, in seconds of ``time.monotonic``."""
SCHEDULING = {
    SHARE: "as any process: it may not ask for more",
    NICE: f"before others (nice {-PRIORITY}), as it may not ask for real time",
    REAL_TIME: f"real time (SCHED_RR, priority {PRIORITY})",
}


class Firings(Protocol):
    """What says when a request is due.

    ``scheduling``: how it is scheduled, in a few words.
    """

    @property
    def scheduling(self) -> str: ...  # noqa: D102

    def __enter__(self) -> Self:
        """Ready: ``fired`` loses no time."""

    def __exit__(self, *error: object) -> None:
        """Ended."""

    def stop(self) -> None:
        """Nothing more is fired; whoever still waits for ``fired`` gets its end, on any thread."""

    def fired(self, due_s: Sequence[float]) -> Iterator[Fired]:
        """Each request when it is due, at times of ``time.monotonic``.

        Ends before the last one where the process was ended.
        """


class Generator:
    """The process. One schedule each."""

    def __init__(self) -> None:
        self.scheduling = "not started"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._started().pid

    def __enter__(self) -> Self:
        file = Path(generator_process.__file__)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(file), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            (granted,) = READY.unpack(self._read(READY.size))
        except BaseException:  # Ctrl-C, or a process that did not come up
            self.__exit__()
            raise
        self.scheduling = SCHEDULING[granted]
        return self

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()

    def __exit__(self, *error: object) -> None:
        self.stop()
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def fired(self, due_s: Sequence[float]) -> Iterator[Fired]:
        """Each request when it is due."""
        pipe = self._started().stdin
        assert pipe is not None
        pipe.write(COUNT.pack(len(due_s)) + struct.pack(f"={len(due_s)}d", *due_s))
        pipe.flush()
        for _ in due_s:
            row = self._read(FIRED.size)
            if len(row) < FIRED.size:
                return
            yield FIRED.unpack(row)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The generator has not been started: use it in a with block.")
        return self._process

    def _read(self, size: int) -> bytes:
        pipe = self._started().stdout
        assert pipe is not None
        return pipe.read(size)
