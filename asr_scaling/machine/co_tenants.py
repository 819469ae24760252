"""Finds other measuring processes on this machine: each holds a lock that the others see."""

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
"""Environment variable: a folder that all jobs see, for machines where each has its own /tmp."""
_PROCESS = secrets.token_hex(8)
_PERIOD_S = 0.5
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OTHER_GPU_ADVICE = (
    "What the GPU computes holds; for features, text, launches and the host's energy give every "
    "job cores of its own, or run one job per node."
)


class Neighbours:
    """Holds this process's lock until ``close`` and looks for the locks of others.

    gpu: UUID of the GPU that this process measures on; None for a CPU.
    folder: where the locks are; None for the default.

    The kernel releases a lock (flock) when its process ends, so killed processes never count, and
    neither does this process. Other benchmarks are not seen, nor anything on Windows, nor jobs and
    containers with their own /tmp unless ``ASR_SCALING_NODE`` names a folder they share.

    As a ``ports.Watch`` it looks between timed calls, twice a second at most, which takes tens of
    microseconds. When this process can take no lock, it still sees the others.
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
        if not self._seen:
            return ()
        gpus = list(self._seen.values())
        elsewhere = sum(gpu not in (None, self._gpu) for gpu in gpus) if self._gpu else 0
        same = sum(gpu == self._gpu for gpu in gpus) if self._gpu else 0
        return (_shared_node(len(gpus), same, elsewhere),)

    def begin(self) -> None:
        """Look now."""
        self._looked_at = time.monotonic()
        if fcntl is not None:
            with suppress(OSError):
                self._look()

    def after(self, batch: AudioBatch) -> None:
        """Between two calls: look, unless that was a moment ago."""
        if time.monotonic() - self._looked_at >= _PERIOD_S:
            self.begin()

    def close(self) -> None:
        """Look once more and let go. May be called twice."""
        self.begin()
        if self._held is not None:
            path, handle = self._held
            self._held = None
            with suppress(OSError):
                path.unlink()
            os.close(handle)

    def _take(self) -> None:
        """Under its visible name the file is locked and whole from its first moment: it is written beside and moved."""
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
            process, dot, _ = entry.name.partition(".")
            if process and dot and process != _process():
                with suppress(OSError):
                    told = _told(entry.path)
                    if told is not None:
                        self._seen[process] = told.get("gpu")


def meeting_place() -> Path:
    """The folder of locks: one of each machine, in /tmp rather than in a TMPDIR that schedulers often make for a job.

    Named after the boot of the kernel, which containers share with their host, else after the host.
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
    """A forked process is another one, and so is one of the same number in another container."""
    return f"{os.getpid()}-{_PROCESS}"


def _told(path: str) -> Mapping[str, Any] | None:
    """What the holder of a lock wrote; None where nobody holds it, and then the file is removed."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(
                handle, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # shared: two who look don't take each other for holders
        except BlockingIOError:
            try:
                found = json.loads(os.read(handle, 4096))
            except (ValueError, RecursionError):
                found = None
            return found if isinstance(found, dict) else {}
        os.unlink(path)
        return None
    finally:
        os.close(handle)


def _shared_node(others: int, same_gpu: int, other_gpus: int) -> Caution:
    """The caution about ``others`` processes, so many of them on this GPU and on other GPUs."""
    who = "Another process" if others == 1 else f"{others} other processes"
    if other_gpus == others:
        where = ", on another GPU" if others == 1 else ", each on another GPU"
        where += ": processor, memory and bus were shared"
        return replace(caution("SharedNode", others=who, where=where), advice=_OTHER_GPU_ADVICE)
    where = f", {same_gpu} of them on the same GPU" if same_gpu else ""
    if others == same_gpu == 1:
        where = ", on the same GPU"
    return caution("SharedNode", others=who, where=where)
