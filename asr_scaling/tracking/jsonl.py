"""Records as lines of JSON: no server, no database, nothing of MLflow imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.errors import TrackingError
from asr_scaling.record import RunRecord


@dataclass(frozen=True)
class Jsonl:
    """``path``: the file that grows by one line a point."""

    path: str = "records.jsonl"

    def open(self, name: str, config: Mapping[str, Any]) -> str:
        """Check that the file can be written."""
        path = Path(self.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()
        except OSError as error:
            raise TrackingError(f"{path} can't be written ({error.strerror}): set tracking.path.") from error
        return name

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Append the record in one write, so that lines of processes never mix. A round is no line: its point is."""
        if record.round is not None:
            return
        line = json.dumps({"sweep": parent, **record.to_json()}, allow_nan=False, ensure_ascii=False)
        try:
            with Path(self.path).open("ab", buffering=0) as file:
                file.write((line + "\n").encode())
        except OSError as error:
            raise TrackingError(f"{self.path} can't be written ({error.strerror}).") from error

    def close(self, parent: str, status: str, documents: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Nothing to end."""

    @property
    def hint(self) -> str:
        """How to look at the results."""
        return f"Records: {self.path} (one JSON object a line)"
