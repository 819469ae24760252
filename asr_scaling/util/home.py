"""What stands in for the home folder of a user who has none, as in a container."""

from __future__ import annotations

import functools
import getpass
import os
import stat
import sys
import tempfile
from pathlib import Path


def ensure_home() -> None:
    """Have a home folder and a user's name, which many libraries look for.

    A user without an entry in passwd and without ``HOME`` gets a folder of temporary files as the
    home of this process and those it starts, and is told so.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(instead_of_home("This user has no home folder"))
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid{os.getuid()}"


@functools.cache
def instead_of_home(why: str) -> Path:
    """A folder of temporary files that is this user's alone; says once that it is used.

    why: it is needed, as the beginning of a sentence.
    """
    folder = Path(tempfile.gettempdir()) / f"asr_scaling-home-{_user()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == _user()
        if not ours or status.st_mode & 0o022:  # what others may write is not to be trusted
            raise PermissionError(folder)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))
    sys.stderr.write(
        f"warning: {why}: what is kept from one command to the next is in {folder}, which may go "
        "at any time; set HOME, or ASR_SCALING_CACHE, to a folder that stays.\n"
    )
    return folder


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
