"""Where records go, and what is asked of a store that keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from asr_scaling.core.record import RunRecord


class Sink(Protocol):
    """Where records go. ``hint``: one line that tells the user how to look at them."""

    @property
    def hint(self) -> str: ...  # noqa: D102

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the store answers; begin a sweep or go on with ``earlier``. The token is for ``write``."""
        ...

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Store one finished point, its files in ``folder``, once, in place of an older one of it. TrackingError."""
        ...

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """End the sweep. ``files``: files and folders to store with it. TrackingError."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A store that can end what a client that is gone left running."""

    def end(self, earlier: str, sweep_id: str, status: str) -> None:
        """The run of the sweep and those of points that were cut. TrackingError."""
        ...
