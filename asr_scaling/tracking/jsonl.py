"""Records as lines of JSON, without server or database. Imports nothing of MLflow."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import TrackingError
from asr_scaling.util.cache import write_atomic


@dataclass(frozen=True)
class Jsonl:
    """A file of records. ``path``: the file, which grows by one line a point."""

    path: str = "records.jsonl"

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the file can be written.

        Lines of an ``earlier`` sweep are removed, because it writes them again.
        """
        path = Path(self.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()
            if earlier is not None:
                lines = path.read_bytes().splitlines(keepends=True)
                write_atomic(path, b"".join(line for line in lines if _stays(line, earlier)))
        except OSError as error:
            raise TrackingError(
                f"{path} can't be written ({error.strerror}): set tracking.path."
            ) from error
        return earlier or name

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Append the record, in one write so that lines of several processes never mix.

        Rounds are not written: their point is, once it is merged.
        """
        if record.round is not None:
            return
        try:
            if self._has(record):
                return
            row = {"sweep": parent, **signed(record.to_json())}
            line = json.dumps(row, allow_nan=False, ensure_ascii=False)
            with Path(self.path).open("ab", buffering=0) as file:
                file.write((line + "\n").encode(errors="backslashreplace"))
        except OSError as error:
            raise TrackingError(f"{self.path} can't be written ({error.strerror}).") from error

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """Nothing to end."""

    @property
    def hint(self) -> str:
        """How to look at the results."""
        return f"Records: {self.path} (one JSON object a line)"

    def _has(self, record: RunRecord) -> bool:
        """Whether the file has this very record, told by when it began and ended."""
        path = Path(self.path)
        if not path.exists() or not path.stat().st_size:
            return False
        start, end = json.dumps(record.started_at), json.dumps(record.ended_at)
        moments = f'"started_at": {start}, "ended_at": {end}'
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return text.find(moments.encode()) >= 0


def _stays(line: bytes, sweep: str) -> bool:
    """Whether a line is whole and of another sweep."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return not isinstance(row, dict) or row.get("sweep") != sweep
