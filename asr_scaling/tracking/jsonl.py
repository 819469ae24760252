"""Records as lines of JSON, without server or database. Imports nothing of MLflow."""

from __future__ import annotations

import errno
import json
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.option_checks import at_home
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import TrackingError
from asr_scaling.util.cache import write_atomic


@dataclass(frozen=True)
class Jsonl:
    """A file of records. ``path``: the file, which grows by one line a point."""

    path: str = "records.jsonl"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", at_home(self.path))

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the file can be written.

        Lines of an ``earlier`` sweep are removed, because it writes them again.
        """
        path = Path(self.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                if earlier is not None:
                    lines = path.read_bytes().splitlines(keepends=True)
                    write_atomic(path, b"".join(line for line in lines if _stays(line, earlier)))
        except OSError as error:
            raise TrackingError(
                f"{path} can't be written ({error.strerror}): set tracking.path."
            ) from error
        return earlier or name

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Append the record, on a line of its own and whole or not at all.

        A process that was killed may have left half a line at the end: that line is ended first,
        so that it takes nothing with it. Rounds are not written: their point is, once it is merged.
        """
        if record.round is not None:
            return
        row = {"sweep": parent, **signed(record.to_json())}
        line = json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n"
        try:
            with _alone(Path(self.path)) as file:
                if not self._has(record):
                    _append(file, line.encode(errors="backslashreplace"))
        except OSError as error:
            raise TrackingError(
                f"{self.path} can't be written ({error.strerror}): make room, or set tracking.path."
            ) from error

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """Nothing to end."""

    @property
    def hint(self) -> str:
        """How to look at the results."""
        return f"Records: {self.path} (one JSON object a line)"

    def _has(self, record: RunRecord) -> bool:
        """Whether a whole line has this very record, told by when it began and ended."""
        path = Path(self.path)
        if not path.stat().st_size:
            return False
        start, end = json.dumps(record.started_at), json.dumps(record.ended_at)
        moments = f'"started_at": {start}, "ended_at": {end}'.encode()
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            place = text.find(moments)
            while place >= 0:
                stop = text.find(b"\n", place)
                if _is_whole(text[text.rfind(b"\n", 0, place) + 1 : None if stop < 0 else stop]):
                    return True
                place = text.find(moments, place + 1)
        return False


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """The file, open to be read and appended to, by one process at a time.

    Another process may have put a new file in its place meanwhile: then that one is opened. Where
    there are no locks, several processes may write at once. Raises OSError.
    """
    while True:
        with cast("BinaryIO", path.open("a+b", buffering=0)) as file:
            with suppress(ImportError, OSError):  # Windows, and file systems without locks
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return


def _append(file: BinaryIO, line: bytes) -> None:
    """Append ``line``, and end half a line that is there before it.

    When not all of it can be written, as on a full disk, nothing is. Raises OSError.
    """
    before = file.seek(0, os.SEEK_END)
    if before:
        file.seek(before - 1)
        line = line if file.read(1) == b"\n" else b"\n" + line
    try:
        _write_all(file, line)
        os.fsync(file.fileno())
    except BaseException:
        file.truncate(before)
        raise


def _write_all(file: BinaryIO, data: bytes) -> None:
    while data:
        written = file.write(data)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data = data[written:]


def _is_whole(line: bytes) -> bool:
    try:
        row = json.loads(line)
        verified({key: row[key] for key in row if key != "sweep"})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
    return True


def _stays(line: bytes, sweep: str) -> bool:
    """Whether a line is whole and of another sweep."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return not isinstance(row, dict) or row.get("sweep") != sweep
