"""Reading files of unknown origin: only regular files, and only up to a given size."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import BinaryIO

_PART = 80
"""Most bytes of a part of a folder's name, of 255."""


def user_path(text: str) -> Path:
    """``text`` as a path, with ``~`` replaced by the home folder where there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def folder_name(*parts: object) -> str:
    """``parts``, joined by ``_``, as the name of one folder on any file system.

    Whatever isn't a letter, a digit or one of ``_.+=@-`` becomes ``_``, and a long part is cut:
    these names are not told apart, unless by a part that is short and plain.
    """
    names = (unicodedata.normalize("NFC", str(part)) for part in parts)
    plain = (re.sub(r"[^\w.+=@-]+", "_", name).encode()[:_PART] for name in names)
    return "_".join(part.decode(errors="ignore") for part in plain).rstrip(".")


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
