"""Where records go, and what is asked of a store that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from asr_scaling.core.record import RunRecord
from asr_scaling.errors import DataError

ANSWER_FILE = "answer.json"
"""Of a sweep's files: which system to use, names to texts, which a store shows with the sweep."""
RunKey = tuple[str, int, int | None]
"""A point's or round's place in its sweep, and when it began and ended, in milliseconds."""


@dataclass(frozen=True)
class StoredSweep:
    """What a store has of one sweep.

    runs: id of the run of every point and round.
    complete: no run is still marked as running, and one file has all points for reports.
    """

    runs: Mapping[RunKey, str]
    complete: bool


class Sink(Protocol):
    """Where records go. All methods raise TrackingError when the store fails.

    hint: one line that tells the user how to look at the records.
    """

    @property
    def hint(self) -> str: ...  # noqa: D102

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the store answers; begin a sweep, or go on with ``earlier``.

        Returns the token that ``write`` and ``close`` take as ``parent``.
        """

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Store one finished point with its files in ``folder``, in place of an older one of it.

        A record that is stored already is not stored twice.
        """

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """End the sweep. ``files``: files and folders to store with it."""


@runtime_checkable
class RunStore(Sink, Protocol):
    """A sink that can be asked what it has. Raises TrackingError as Sink does.

    A sweep is named by ``earlier``, the token of ``open``, and by its ``sweep_id``, which stays
    the same in every store.
    """

    @property
    def uri(self) -> str:
        """Address of the store."""

    def stored(self, earlier: str, sweep_id: str) -> StoredSweep | None:
        """What the store has of a sweep; None when it doesn't know the sweep."""

    def key(self, record: RunRecord, folder: Path) -> RunKey:
        """The key that the record in ``folder`` has in ``StoredSweep.runs``."""

    def remember(
        self, record: RunRecord, folder: Path, parent: str | None, run_id: str | None
    ) -> None:
        """Note in ``folder`` which run has the record; None: the next ``write`` has to ask."""

    def points_file(self, folder: Path, parent: str) -> Path | None:
        """Write one file of all points below ``folder``, for ``close``; None if some lack a run."""

    def end(self, earlier: str, sweep_id: str, status: str) -> None:
        """End the runs of a sweep, and of its cut points, that a client which is gone left open."""

    def records(
        self, name: str, light: bool = False, damaged: list[DataError] | None = None
    ) -> Iterator[tuple[RunRecord, Callable[[], RunRecord]]]:
        """Records of an experiment or a run, each with a function that reads it again.

        light: raw samples may be left out where that saves requests.
        damaged: receives what can't be read; without it a DataError is raised.
        """

    def log_report(self, folder: Path, run_id: str) -> bool:
        """Store a report's files with a run; False where ``run_id`` is an experiment's name."""
