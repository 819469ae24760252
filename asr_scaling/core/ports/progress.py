"""Who is told how far a point is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Who is told how far a point is."""

    def stage(self, name: str) -> None:
        """A stage of the point begins."""

    def advance(self, fraction: float) -> None:
        """The stage is ``fraction`` (0…1) done."""

    def say(self, line: str) -> None:
        """Something a reader must know while the point is still running."""


class NullProgress:
    """Tells nobody."""

    def stage(self, name: str) -> None:
        """Ignored."""

    def advance(self, fraction: float) -> None:
        """Ignored."""

    def say(self, line: str) -> None:
        """Ignored."""
