"""What engines and optimisations bring: points compared with the plain system of their model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import RTFX, WER
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import (
    PairedComparison,
    compare_points,
    differs,
)
from asr_scaling.core.decoding import GREEDY
from asr_scaling.util.groups import grouped

PLAIN_ENGINE = "transformers"


@dataclass(frozen=True)
class GainOverPlain:
    """A point compared with the plain point beside it."""

    point: Point
    plain: Point
    """The same but for engine and optimisations, of which it has the plain ones."""
    comparison: PairedComparison
    """``point`` against ``plain``."""

    @property
    def speed_up(self) -> float | None:
        """RTFx over the plain point's; None where the two can't be compared."""
        relative = self.comparison.row(RTFX).relative
        return None if relative is None else 1 + relative

    @property
    def worse_wer(self) -> bool:
        """Whether a higher WER than the plain point's was shown."""
        row = self.comparison.row(WER)
        return differs(row) and (row.absolute or 0.0) > 0

    @property
    def startup_s(self) -> float | None:
        """Seconds of loading and compiling beyond the plain point's; None where unknown."""
        ours = _startup_s(self.point)
        theirs = _startup_s(self.plain)
        return None if ours is None or theirs is None else ours - theirs

    @property
    def pays_off_after(self) -> float | None:
        """Utterances after which the time saved exceeds the longer start.

        0 where it starts no later, infinite where an utterance takes no less time, None where
        loading was not timed in both.
        """
        extra_s = self.startup_s
        if extra_s is None or extra_s <= 0:
            return None if extra_s is None else 0.0
        plain = self.plain.judged("throughput/samples_per_s")
        ours = self.point.judged("throughput/samples_per_s")
        saved_s = 1 / plain - 1 / ours if plain and ours else 0.0
        return math.ceil(extra_s / saved_s) if saved_s > 0 else math.inf


@dataclass(frozen=True)
class Share:
    """What one optimisation brings beside the others of a system: both systems were measured."""

    name: str
    """Of the optimisation."""
    point: Point
    without: Point
    """The same but for this optimisation; not plain."""
    comparison: PairedComparison
    """``point`` against ``without``."""


def _startup_s(point: Point) -> float | None:
    load_s = point.value("startup/load_s")
    return None if load_s is None else load_s + (point.value("startup/compile_s") or 0.0)


def is_plain(point: Point) -> bool:
    """Whether nothing was done to make it faster."""
    plain = point.engine == PLAIN_ENGINE and not point.optimisations
    return plain and point.decoding == GREEDY.name


def gains_over_plain(points: Sequence[Point]) -> list[GainOverPlain]:
    """Every other point against its plain point. Loads both records whole.

    The plain point has the same model, weights, device, kind of machine, speech, length and batch.
    Of several, one of the same host is taken, and the one measured nearest in time, since machines
    drift.
    """
    plain = grouped((point for point in points if point.ok and is_plain(point)), _key)
    return [
        GainOverPlain(point, base, compare_points(point, base))
        for point in points
        if point.ok
        and not is_plain(point)
        and (base := _nearest(point, plain.get(_key(point), ())))
    ]


def shares(points: Sequence[Point]) -> list[Share]:
    """For each point of several optimisations what each of them brings, as far as was measured.

    Loads records whole. Points are paired as by ``gains_over_plain``.
    """
    ok = [point for point in points if point.ok]
    systems = grouped(ok, lambda point: _system(point, point.optimisations))
    pairs = [
        (name, point, without)
        for point in ok
        if len(point.optimisations) > 1
        for name in point.optimisations
        if (without := _nearest(point, systems.get(_system(point, _less(point, name)), ())))
    ]
    return [Share(name, a, b, compare_points(a, b)) for name, a, b in pairs]


def _system(point: Point, optimisations: tuple[str, ...]) -> tuple[object, ...]:
    return (*_key(point), point.engine, point.decoding, optimisations)


def _less(point: Point, name: str) -> tuple[str, ...]:
    return tuple(other for other in point.optimisations if other != name)


def _key(point: Point) -> tuple[object, ...]:
    speech = (point.dataset, point.length_s, point.batch)
    return (point.model, point.weights, point.device, point.hardware, point.machine, *speech)


def _nearest(point: Point, rivals: Sequence[Point]) -> Point | None:
    def distance(other: Point) -> tuple[bool, float]:
        return other.host != point.host, abs(other.started_at - point.started_at)

    return min(rivals, key=distance, default=None)
