"""Reading files of unknown origin: only regular files, and only up to a given size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def user_path(text: str) -> Path:
    """``text`` as a path, with ``~`` replaced by the home folder where there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def open_file(path: Path) -> BinaryIO:
    """Open ``path`` for reading.

    Raises OSError, also for pipes and devices, which may never begin or end.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a null character in its name
        raise OSError(errno.EINVAL, str(error)) from error
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    return path.open("rb")


def read_file(path: Path, most: int) -> bytes:
    """The contents of ``path``. Raises OSError as ``open_file``, and for over ``most`` bytes."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"it is larger than {most / 1e6:g} MB")
        return file.read()
