"""The cache of converted weights and fragments. A file or folder appears there whole or not at all.

Processes and machines may share it; its file system must have atomic renames.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from errno import EEXIST, ENOTEMPTY
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from asr_scaling.util.home import instead_of_home

MANIFEST = "asr_scaling.json"
"""File of a sealed folder that says what is in it."""
WAIT_S = 3600.0
"""Seconds that a process waits at most for another one to make what both need."""
_Entry = TypeVar("_Entry")


def cache_root() -> Path:
    """The folder of the cache: ``$ASR_SCALING_CACHE``, or else in the user's cache folder.

    Where there is no such folder and none can be made, it is one of temporary files, which is said.
    """
    if named := os.environ.get("ASR_SCALING_CACHE"):
        return Path(named).expanduser()
    try:
        root = Path(platformdirs.user_cache_dir("asr_scaling", appauthor=False))
        root.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        root = instead_of_home(f"The cache's folder can't be made ({error})") / "cache"
    return root


def cache_dir(kind: str) -> Path:
    """The folder for ``kind``, such as "weights" or "fragments"; created where it is missing."""
    folder = cache_root() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that is renamed to ``target`` when the block ends without an error.

    When two processes do this at once, the first to end wins; the other's folder is deleted.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError as error:  # a network disk may be late to say whether the target exists
            if error.errno not in (EEXIST, ENOTEMPTY) and not target.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def made_once(
    target: Path, read: Callable[[], _Entry | None], make: Callable[[Path], object]
) -> _Entry | None:
    """What ``read`` returns for ``target``, which ``make`` makes first where ``read`` gives None.

    ``make`` fills an empty folder that becomes ``target``. One process makes it while others wait;
    one that is killed leaves nothing that others would read. None where even what was made
    can't be read.
    """
    if (entry := read()) is not None:
        return entry
    with alone(target.parent.name, target.name):
        if (entry := read()) is not None:  # made while this process waited
            return entry
        with new_folder(target) as scratch:
            make(scratch)
            if read() is None:
                put_aside(target)
    return read()


@contextmanager
def alone(kind: str, name: str) -> Iterator[None]:
    """A block for one entry of the cache that only one process at a time is in.

    This holds for all machines that share the cache. The lock of a process that dies is free at
    once, and the next process removes what that one left unfinished. There is no waiting after
    ``WAIT_S``, nor where the disk is read-only or has no locks: then several processes may make
    the same entry, and the first to end wins.
    """
    from filelock import FileLock

    with ExitStack() as stack:
        with suppress(OSError):
            path = cache_dir("locks") / f"{kind}-{name}.lock"
            stack.enter_context(FileLock(path, timeout=WAIT_S, mode=0o666))
            for half in cache_dir(kind).glob(f".{glob.escape(name)}-*"):
                shutil.rmtree(half, ignore_errors=True)
        yield


def put_aside(target: Path) -> None:
    """Delete a damaged entry; it is moved away first, so that no process sees part of it."""
    if not target.exists():
        return
    scratch = Path(tempfile.mkdtemp(prefix=".damaged-", dir=target.parent))
    with suppress(OSError):
        target.rename(scratch / "entry")
    shutil.rmtree(scratch, ignore_errors=True)


def seal(folder: Path, about: Mapping[str, Any]) -> None:
    """Write the manifest of ``folder``: ``about``, and size and SHA-256 of every file in it."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in paths
    }
    text = json.dumps({**about, "files": files}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def sealed(folder: Path, *needed: str) -> dict[str, Any] | None:
    """The manifest of ``folder``; None when a file has changed or a ``needed`` one is missing."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        files = {folder / name: entry for name, entry in manifest["files"].items()}
        sizes = all(path.stat().st_size == entry["bytes"] for path, entry in files.items())
        whole = set(needed) <= manifest["files"].keys() and sizes
        same = whole and all(file_sha256(path) == entry["sha256"] for path, entry in files.items())
        return dict(manifest) if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's contents, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``; a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
