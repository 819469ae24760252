"""Points laid out by system and device, so that a table finds the one of a length and batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.points import Point, length_order
from asr_scaling.report.cells import words
from asr_scaling.report.document import Cell, Column

Length = float | None
"""Seconds of a fragment; None for natural utterances."""


@dataclass(frozen=True)
class Lane:
    """One system on one device. ``cells``: by length and batch, failed points included."""

    system: str
    device: str
    cells: Mapping[tuple[Length, int], Point]

    @property
    def finished(self) -> list[Point]:
        """The points that were measured to their end."""
        return [point for point in self.cells.values() if point.ok]

    @property
    def any(self) -> Point:
        """Some point, for what all have in common."""
        return next(iter(self.cells.values()))

    @property
    def keys(self) -> dict[str, str]:
        """What the page's filter goes by, whatever the length and batch."""
        return {"model": self.system, "device": self.device}

    def batches(self, length_s: Length) -> list[int]:
        """Batches measured to their end at a length, ascending."""
        return sorted(point.batch for point in self.finished if point.length_s == length_s)


def lanes(points: Iterable[Point], systems: Sequence[str]) -> list[Lane]:
    """By device, then in the order of ``systems``; of points of one cell the latest finished counts."""
    rank = {system: i for i, system in enumerate(systems)}
    found: dict[tuple[str, str], dict[tuple[Length, int], Point]] = {}
    for point in sorted(points, key=lambda p: (p.ok, p.ended_at)):
        found.setdefault((point.device, point.system), {})[point.length_s, point.batch] = point
    ordered = sorted(found, key=lambda key: (key[0], rank.get(key[1], len(rank)), key[1]))
    return [Lane(system, device, found[device, system]) for device, system in ordered]


def lengths(points: Iterable[Point]) -> list[Length]:
    """The lengths measured to the end, ascending, natural utterances last."""
    return sorted({point.length_s for point in points if point.ok}, key=length_order)


def kind(device: str) -> str:
    """ "cpu", or "gpu" for every accelerator."""
    return "cpu" if device.startswith("cpu") else "gpu"


WHO = (Column("System", numeric=False), Column("Device", numeric=False))
"""The two columns that say what a row is about; ``who`` makes their cells."""


def who(lane: Lane) -> tuple[Cell, Cell]:
    """System and device; the hardware is the second's note."""
    return words(lane.system), words(lane.device, lane.any.hardware)
