"""Finds other measuring processes on this machine: each holds a lock that others can see."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.workload import AudioBatch

try:
    import fcntl
except ImportError:  # Windows: nobody is seen
    fcntl = None  # type: ignore[assignment]

FOLDER_VARIABLE = "ASR_SCALING_NODE"
"""Environment variable: a folder that all jobs see, where each job has its own /tmp."""
_PROCESS = secrets.token_hex(8)
_PERIOD_S = 0.5
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OTHER_GPU_ADVICE = (
    "What the GPU computes holds; for features, text, launches and the host's energy give every "
    "job cores of its own, or run one job per node."
)


class CoTenants:
    """Holds this process's lock until ``close`` and looks for the locks of others.

    gpu: UUID of the GPU that this process measures on; None for a CPU.
    folder: where the locks are; None for the default.

    The kernel releases a lock (flock) when its process ends, so killed processes never count. Other
    benchmarks are not seen, nor anything on Windows, nor jobs and containers with their own /tmp
    unless ``ASR_SCALING_NODE`` names a folder they share.

    As a ``ports.Watch`` it looks between timed calls, twice a second at most, which takes tens of
    microseconds. A process that can take no lock still sees the others.
    """

    def __init__(self, gpu: str | None = None, folder: Path | None = None) -> None:
        self._gpu, self._folder = gpu, folder or meeting_place()
        self._seen: dict[str, str | None] = {}
        self._looked_at = 0.0
        self._held: tuple[Path, int] | None = None
        if fcntl is not None:
            with suppress(OSError):
                self._take()
        self.begin()

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """The caution for the record; none when nobody was seen."""
        gpus = list(self._seen.values())
        same = gpus.count(self._gpu) if self._gpu else 0
        elsewhere = len(gpus) - gpus.count(None) - same if self._gpu else 0
        return (_shared_node(len(gpus), same, elsewhere),) if gpus else ()

    def begin(self) -> None:
        """Look now."""
        self._looked_at = time.monotonic()
        if fcntl is not None:
            with suppress(OSError):
                self._look()

    def after(self, batch: AudioBatch) -> None:
        """Look between two calls, unless the last look was a moment ago."""
        if time.monotonic() - self._looked_at >= _PERIOD_S:
            self.begin()

    def beside(self, seconds: float) -> None:
        """Nothing here counts seconds."""

    def close(self) -> None:
        """Look once more and release the lock. May be called twice."""
        self.begin()
        if self._held is not None:
            (path, handle), self._held = self._held, None
            with suppress(OSError):
                path.unlink()
            os.close(handle)

    def _take(self) -> None:
        """Write and lock a hidden file, then rename it: others see it only locked and complete."""
        with suppress(FileExistsError):
            self._folder.mkdir(parents=True)
            self._folder.chmod(0o1777)  # users share it, and none removes another's file
        if self._folder.is_symlink():
            return
        name = f"{_process()}.{secrets.token_hex(4)}"
        hidden = self._folder / f".{name}"
        handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(handle, 0o644)  # whatever the umask: others must read it to try its lock
            os.write(handle, json.dumps({"gpu": self._gpu}).encode())
            hidden.rename(self._folder / name)
        except BaseException:
            with suppress(OSError):
                hidden.unlink()
            os.close(handle)
            raise
        self._held = self._folder / name, handle

    def _look(self) -> None:
        for entry in os.scandir(self._folder):
            process = entry.name.partition(".")[0]
            if "." in entry.name and process not in ("", _process()):
                with suppress(OSError):
                    if (lock := _read_lock(entry.path)) is not None:
                        self._seen[process] = lock.get("gpu")


def meeting_place() -> Path:
    """The folder of this machine's locks.

    In /tmp, since schedulers often make a TMPDIR for each job. Named after the kernel's boot, which
    containers share with their host, or else after the host.
    """
    root = os.environ.get(FOLDER_VARIABLE) or (
        "/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()
    )
    try:
        machine = _BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        machine = socket.gethostname()
    return Path(root) / f"asr_scaling-{machine}"


def _process() -> str:
    """Name of this process, which no forked process and no other container has."""
    return f"{os.getpid()}-{_PROCESS}"


def _read_lock(path: str) -> Mapping[str, Any] | None:
    """What the holder of a lock wrote; None when nobody holds it, and then the file is removed."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        # shared, so that two processes that look at once don't take each other for the holder
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.unlink(path)
    except BlockingIOError:
        with suppress(ValueError, RecursionError):
            lock = json.loads(os.read(handle, 4096))
            return lock if isinstance(lock, dict) else {}
        return {}
    finally:
        os.close(handle)
    return None


def _shared_node(others: int, same_gpu: int, other_gpus: int) -> Caution:
    """The caution about other processes.

    others: how many there are.
    same_gpu: how many of them are on this process's GPU.
    other_gpus: how many of them are on another GPU.
    """
    who = "Another process" if others == 1 else f"{others} other processes"
    if other_gpus == others:
        where = ", on another GPU" if others == 1 else ", each on another GPU"
        where += ": processor, memory and bus were shared"
        return replace(caution("SharedNode", others=who, where=where), advice=_OTHER_GPU_ADVICE)
    some = "" if others == 1 else f"{same_gpu} of them "
    where = f", {some}on the same GPU" if same_gpu else ""
    return caution("SharedNode", others=who, where=where)
