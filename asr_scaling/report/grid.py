"""Points laid out by system and device, so that a table finds the one of a length and batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.report.cells import number, words
from asr_scaling.report.document import Cell, Column
from asr_scaling.report.points import NATURAL, Point
from asr_scaling.stats import Interval

Length = float | None
"""Seconds of a fragment; None for natural utterances."""


@dataclass(frozen=True)
class Lane:
    """One system on one piece of hardware. ``cells``: by length and batch, failed points included."""

    system: str
    device: str
    hardware: str
    host: str
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
    """By device and hardware, then in the order of ``systems``; of points of one cell the latest finished counts."""
    rank = {system: i for i, system in enumerate(systems)}
    found: dict[tuple[str, str, str, str], dict[tuple[Length, int], Point]] = {}
    for point in sorted(points, key=lambda p: (p.ok, p.ended_at)):
        cells = found.setdefault((point.device, point.hardware, point.host, point.system), {})
        cells[point.length_s, point.batch] = point
    ordered = sorted(found, key=lambda key: (key[:3], rank.get(key[3], len(rank)), key[3]))
    return [Lane(key[3], *key[:3], found[key]) for key in ordered]


def lengths(points: Iterable[Point]) -> list[Length]:
    """The lengths measured to the end, ascending, natural utterances last."""
    found = {point.length_s for point in points if point.ok}
    return sorted(found, key=lambda length: (length is None, length or 0.0))


def length_name(length_s: Length) -> str:
    """ "15 s", or "natural"."""
    return NATURAL if length_s is None else f"{length_s:g} s"


def kind(device: str) -> str:
    """ "cpu", or "gpu" for every accelerator."""
    return "cpu" if device.startswith("cpu") else "gpu"


def quotient(a: Point, b: Point, metric: str) -> Cell:
    """``metric`` of ``a`` over that of ``b``, both measured; the interval where both have one.

    The two are independent: distances to their ends, on a logarithmic scale, add up in quadrature (the method of
    variance estimates recovery, Zou & Donner 2008, applied to logarithms).
    """
    top, bottom = a.values[metric], b.values[metric]
    ours, theirs = a.intervals.get(metric), b.intervals.get(metric)
    if not ours or not theirs or min(ours.low, theirs.low) <= 0:
        return number(top / bottom)
    down = math.hypot(math.log(top / ours.low), math.log(theirs.high / bottom))
    up = math.hypot(math.log(ours.high / top), math.log(bottom / theirs.low))
    return number(top / bottom, Interval(top / bottom * math.exp(-down), top / bottom * math.exp(up)))


WHO = (Column("System", numeric=False), Column("Device", numeric=False))
"""The two columns that say what a row is about; ``named`` makes their cells."""


def named(lane: Lane, everything: Iterable[Lane]) -> tuple[Cell, Cell]:
    """System and device; the hardware with it where the report has several of that name."""
    several = len({(other.hardware, other.host) for other in everything if other.device == lane.device}) > 1
    text = f"{lane.device}: {lane.hardware}, {lane.host}" if several else lane.device
    return words(lane.system), words(text, lane.hardware)
