"""Points laid out by system and device, so that the one of a length and batch is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.points import Point, length_order, windows
from asr_scaling.util.groups import grouped

Length = float | None
"""Seconds of a fragment; None for natural utterances."""
FULL_BATCH = 16
"""Gains of batching are from batch 1 to this one, or to the largest that was measured."""


@dataclass(frozen=True)
class SystemColumn:
    """The points of one system on one device."""

    system: str
    device: str
    cells: Mapping[tuple[Length, int], Point]
    """By length and batch, failed points included."""

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

    def batching(self, length_s: Length) -> tuple[Point, Point] | None:
        """The points of batch 1 and of ``FULL_BATCH``, or else of the largest batch.

        None where batch 1 or a larger batch was not measured to its end.
        """
        batches = self.batches(length_s)
        if batches[0] != 1 or len(batches) == 1:
            return None
        largest = FULL_BATCH if FULL_BATCH in batches else batches[-1]
        return self.cells[length_s, 1], self.cells[length_s, largest]


def system_columns(points: Iterable[Point], systems: Sequence[str]) -> list[SystemColumn]:
    """By device, then in the order of ``systems``; of one cell the latest finished point counts."""
    rank = {system: i for i, system in enumerate(systems)}
    latest_last = sorted(points, key=lambda p: (p.ok, p.ended_at))
    columns = grouped(latest_last, lambda p: (p.device, rank.get(p.system, len(rank)), p.system))
    return [
        SystemColumn(system, device, {(p.length_s, p.batch): p for p in members})
        for (device, _, system), members in sorted(columns.items())
    ]


def lengths(points: Iterable[Point]) -> list[Length]:
    """The lengths measured to the end, ascending, natural utterances last."""
    return sorted({point.length_s for point in points if point.ok}, key=length_order)


def device_kind(device: str) -> str:
    """ "cpu", or "gpu" for every accelerator."""
    return "cpu" if device.startswith("cpu") else "gpu"


def device_pairs(columns: Sequence[SystemColumn]) -> list[tuple[Point, Point]]:
    """Points of a system on a CPU and a GPU of one host: batch 1 and the largest that both have."""
    return [
        pair
        for cpu in columns
        for gpu in columns
        if cpu.system == gpu.system
        and device_kind(cpu.device) == "cpu"
        and device_kind(gpu.device) == "gpu"
        for pair in _same_calls(cpu, gpu)
    ]


def _same_calls(cpu: SystemColumn, gpu: SystemColumn) -> list[tuple[Point, Point]]:
    pairs = []
    for length_s in lengths(cpu.finished):
        common = sorted(set(cpu.batches(length_s)) & set(gpu.batches(length_s)))
        for batch in dict.fromkeys([*common[:1], *common[-1:]]):
            before = cpu.cells[length_s, batch]
            after = gpu.cells[length_s, batch]
            if (before.host, before.machine) == (after.host, after.machine):
                pairs.append((before, after))
    return pairs


def counted_points(columns: Sequence[SystemColumn], metric: str) -> list[Point]:
    """Points whose operations, ``metric``, were counted: of each system one within its window.

    Without a window one of each length, shortest first.
    """
    points = [point for column in columns for point in column.finished if metric in point.values]
    kept: dict[tuple[str, Length], Point] = {}
    for point in sorted(points, key=lambda p: length_order(p.length_s)):
        counted_s = point.length_s or point.values.get("flops/audio_s", point.audio_s)
        if point.window_s is None:
            kept.setdefault((point.system, point.length_s), point)
        elif windows(counted_s, point.window_s) == 1:
            kept.setdefault((point.system, None), point)
    order = list(dict.fromkeys(column.system for column in columns))
    return sorted(kept.values(), key=lambda point: order.index(point.system))
