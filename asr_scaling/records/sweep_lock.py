"""Who works on a sweep: one process at a time, known to be gone when it is, however it ended."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LOCK = ".sweep.lock"


class Hold:
    """A lock on the folder of a sweep; the system gives it back when the process ends, killed or not.

    ``sure``: False where the file system has no locks, and everybody gets one.
    """

    def __init__(self, handle: int | None) -> None:
        self._handle, self.sure = handle, handle is not None

    @classmethod
    def take(cls, folder: Path) -> Hold | None:
        """The lock, None when another process has it. OSError when the folder can't be written."""
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
