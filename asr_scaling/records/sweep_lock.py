"""A lock on a sweep's folder: one process at a time works on a sweep."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LOCK = ".sweep.lock"


class SweepLock:
    """A lock that the system gives back when its process ends, killed or not.

    Not by filelock: where the file system has no locks, its older versions report a busy lock,
    and newer ones leave a file behind when the process is killed.

    sure: False where there are no locks; then every process gets one.
    """

    def __init__(self, handle: int | None) -> None:
        self._handle = handle
        self.sure = handle is not None

    @classmethod
    def take(cls, folder: Path) -> SweepLock | None:
        """The lock, or None when another process has it.

        Raises OSError when the folder can't be written.
        """
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows
            return cls(None)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            return cls(None)
        return cls(handle)

    def release(self) -> None:
        """Let others have it. May be called twice."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None
