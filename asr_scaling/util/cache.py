"""Where converted weights and fragments are kept between runs, and how a file appears there whole or not at all.

Processes and machines may share the folder: what is needed of its file system is that a rename within it is atomic.
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

MANIFEST = "asr_scaling.json"
"""File of a sealed folder that says what is in it."""
WAIT_S = 3600.0
"""Longest time, in seconds, that a process waits for another one to make what both need."""
_Found = TypeVar("_Found")


def cache_dir(kind: str) -> Path:
    """Folder for ``kind`` ("weights", "fragments") below ``$ASR_SCALING_CACHE`` or the user's cache folder; created."""
    root = os.environ.get("ASR_SCALING_CACHE") or platformdirs.user_cache_dir(
        "asr_scaling", appauthor=False
    )
    folder = Path(root).expanduser() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that becomes ``target`` when the block ends without an error.

    Two processes may do this at once: the first to end wins, the other's folder is dropped.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except (
            OSError
        ) as error:  # a network disk may have its own, late, answer to whether the target exists
            if error.errno not in (EEXIST, ENOTEMPTY) and not target.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def made_once(
    target: Path, read: Callable[[], _Found | None], make: Callable[[Path], object]
) -> _Found | None:
    """What ``read`` finds at ``target``; where it finds nothing whole, ``make`` fills an empty folder that becomes it.

    One process makes it, the others wait and read. One that is killed halfway leaves nothing that anybody reads. None
    where even what was just made can't be read.
    """
    if (found := read()) is not None:
        return found
    with alone(target.parent.name, target.name):
        if (found := read()) is not None:  # made while this process waited
            return found
        with new_folder(target) as scratch:
            make(scratch)
            if read() is None:
                put_aside(target)
    return read()


@contextmanager
def alone(kind: str, name: str) -> Iterator[None]:
    """Only one process at a time, of all machines that share the cache, is in this block for an entry of the cache.

    The kernel frees the lock of a process that dies, and the next to hold it removes what that one left half made.
    After ``WAIT_S``, and where the disk is read-only or knows no locks, nobody waits any longer: then several may make
    the same, and ``new_folder`` has the first to end win.
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
    """Move a damaged entry away in one step, so that nobody sees part of it, then delete it."""
    if not target.exists():
        return
    scratch = Path(tempfile.mkdtemp(prefix=".damaged-", dir=target.parent))
    with suppress(OSError):
        target.rename(scratch / "entry")
    shutil.rmtree(scratch, ignore_errors=True)


def seal(folder: Path, about: Mapping[str, Any]) -> None:
    """Write the manifest of ``folder``: what it is ``about``, and size and SHA-256 of every file in it."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in found
    }
    text = json.dumps({**about, "files": files}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def sealed(folder: Path, *needed: str) -> dict[str, Any] | None:
    """The manifest of ``folder``; None unless every file that it lists, the ``needed`` ones among them, is as it was
    when it was sealed."""
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
    """SHA-256 of a file's contents, in hexadecimal. OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader, or a crash, sees the old file or the new one and never a part."""
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
