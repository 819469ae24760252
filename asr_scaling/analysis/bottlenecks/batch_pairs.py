"""The smallest and the largest batch of each system, device and length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.points import Point, length_order
from asr_scaling.util.groups import grouped


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
    groups = grouped(
        (point for point in points if point.ok),
        lambda p: (systems.index(p.system), p.device, length_order(p.length_s)),
    )
    pairs = []
    for _, members in sorted(groups.items()):
        small = min(members, key=lambda point: point.batch)
        large = max(members, key=lambda point: point.batch)
        pairs.append(BatchPair(small, large if large.batch > small.batch else None))
    return pairs
