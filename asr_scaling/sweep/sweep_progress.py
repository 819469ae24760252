"""What a sweep tells of how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.core.ports import NullProgress
from asr_scaling.core.record import RunRecord


class SweepProgress(NullProgress):
    """Is told how far a sweep is. This one shows nothing, as in a process that only measures."""

    total = 0
    """Points of the sweep."""
    done = 0
    """Those of them that have ended."""

    def begin(self, name: str) -> None:
        """A point begins."""

    def more(self, weights: Sequence[float]) -> None:
        """Further points are measured, of these weights."""
        self.total += len(weights)

    def end(self, record: RunRecord) -> None:
        """A point ended."""

    def reused(self, record: RunRecord) -> None:
        """A point was measured by an earlier run of the sweep."""

    def close(self) -> None:
        """Nothing more is shown while the sweep runs."""

    def results(
        self,
        records: list[RunRecord],
        title: str,
        hints: Sequence[str],
        remarks: Sequence[str] = (),
    ) -> None:
        """Every point has ended."""
