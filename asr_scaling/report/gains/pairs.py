"""Which points are compared, and how a change is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import Row as Change
from asr_scaling.analysis.format import plain
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import Duel, duel
from asr_scaling.core.statistics import Interval
from asr_scaling.report.cells import missing, number
from asr_scaling.report.document import Cell

PLAIN_ENGINE = "transformers"


@dataclass(frozen=True)
class Gain:
    """``point`` against ``plain``, the same but for engine and optimisations. ``found``: their comparison."""

    point: Point
    plain: Point
    found: Duel

    @property
    def startup_s(self) -> float | None:
        """Seconds that loading and compiling take beyond the plain system's; None where one is not known."""
        ours, theirs = startup_s(self.point), startup_s(self.plain)
        return None if ours is None or theirs is None else ours - theirs

    @property
    def saved_s(self) -> float:
        """Seconds that an utterance takes less; 0 where that is not known."""
        rates = [point.value("throughput/samples_per_s") for point in (self.plain, self.point)]
        return 1 / rates[0] - 1 / rates[1] if rates[0] and rates[1] else 0.0


def startup_s(point: Point) -> float | None:
    """Seconds of loading and compiling."""
    load = point.value("startup/load_s")
    return None if load is None else load + (point.value("startup/compile_s") or 0.0)


def is_plain(point: Point) -> bool:
    """Whether nothing was done to make it faster."""
    return point.engine == PLAIN_ENGINE and not point.optimisations


def _key(point: Point) -> tuple[object, ...]:
    speech = (point.dataset, point.length_s, point.batch)
    return (point.model, point.weights, point.device, point.hardware, point.machine, *speech)


def gains(points: Sequence[Point]) -> list[Gain]:
    """Every point of an engine other than transformers, or with optimisations, against the plain one beside it.

    Plain is the point of the same model, weights, device, kind of machine, speech, length and batch with neither; of
    several one of the same host, and the one measured nearest in time, for machines drift. Loads both records.
    """
    plain: dict[tuple[object, ...], list[Point]] = {}
    for point in points:
        if point.ok and is_plain(point):
            plain.setdefault(_key(point), []).append(point)
    found = []
    for point in points:
        rivals = plain.get(_key(point), []) if point.ok and not is_plain(point) else []
        if rivals:
            found_at = (point.host, point.started_at)
            base = min(
                rivals, key=lambda p: (p.host != found_at[0], abs(p.started_at - found_at[1]))
            )
            found.append(Gain(point, base, duel(point, base)))
    return found


def factor(row: Change) -> float | None:
    """B over A; None where there is no change."""
    return None if row.relative is None else 1 + row.relative


def ratio(row: Change) -> Cell:
    """B over A with its interval."""
    value = factor(row)
    if value is None:
        return missing(row.reason or "not measured in both")
    interval = Interval(1 + row.interval.low, 1 + row.interval.high) if row.interval else None
    return number(value, interval, note=", ".join(filter(None, (row.verdict, row.qualifier))))


def times(row: Change) -> str:
    """ "2.40 ± 0.10 × the RTFx"."""
    return f"{ratio(row).text} × the RTFx"


def points_of(row: Change) -> str:
    """The change of a WER in points of per cent: "+0.1 ± 0.3"."""
    value = row.absolute or 0.0
    half = f" ± {plain(100 * row.interval.half(value), 2)}" if row.interval else ""
    return f"{'+' if value > 0 else ''}{plain(100 * value, 2)}{half}"
