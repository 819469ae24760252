"""The smallest and the largest batch of each system, device and length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.points import Point, length_order


@dataclass(frozen=True)
class BatchPair:
    """A system on one device at one length."""

    small: Point
    """At its smallest batch."""
    large: Point | None
    """At its largest batch; None where that is the smallest."""

    @property
    def points(self) -> tuple[Point, ...]:
        """One or two."""
        return (self.small,) if self.large is None else (self.small, self.large)


def batch_pairs(points: Iterable[Point], systems: Sequence[str]) -> list[BatchPair]:
    """Of the finished points, by ``systems``, device and length, natural utterances last."""
    groups: dict[tuple[int, str, float], dict[int, Point]] = {}
    for point in points:
        if point.ok:
            key = (systems.index(point.system), point.device, length_order(point.length_s))
            groups.setdefault(key, {}).setdefault(point.batch, point)
    pairs = []
    for key in sorted(groups):
        batches = groups[key]
        largest = batches[max(batches)] if len(batches) > 1 else None
        pairs.append(BatchPair(batches[min(batches)], largest))
    return pairs
