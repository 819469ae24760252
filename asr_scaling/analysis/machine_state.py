"""The machine's state over a sweep: how much slower each probe of the metronome was than usual."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from asr_scaling.analysis.points import Point
from asr_scaling.core.usual_state import reference_of

NOTABLE = 0.15
"""Change of a probe that is spoken of, as a share."""
_SMOOTH = 3
"""Readings on either side of one whose median is the state then."""
_SHORTEST_S = 5.0
"""A spell that is spoken of lasts so long."""
_PAUSE_S, _END_S = 15.0, 600.0
"""Without a reading for so long, a spell pauses, or has ended."""


@dataclass(frozen=True)
class Reading:
    """What a probe took at a moment.

    at: seconds since 1970.
    ratio: seconds over those of the reference; above 1 is slower.
    smooth: median of the ratio and of its neighbours, without what lasted for an instant only.
    place: number of the point that was measured then, as in a span.
    """

    at: float
    ratio: float
    smooth: float
    place: int


@dataclass(frozen=True)
class Span:
    """When a process timed calls of a point, in seconds since 1970.

    place: number of the point, from 1 in the order they began.
    """

    place: int
    point: Point
    began_at: float
    ended_at: float


@dataclass(frozen=True)
class Spell:
    """A time in which a kind of probe was off by ``NOTABLE`` or more.

    lasted_s: without the pauses between timed calls.
    ratio: geometric mean of its readings.
    places: numbers of the points that were measured then, ascending.
    """

    kind: str
    lasted_s: float
    ratio: float
    places: tuple[int, ...]

    @property
    def weight(self) -> float:
        """How much it matters: how far off, times how long."""
        return abs(math.log(self.ratio)) * self.lasted_s


@dataclass(frozen=True)
class MachineState:
    """Of one machine.

    readings: kind of probe → its readings by time. Probes on several numbers of threads are one
        kind, each relative to its own reference.
    spans: by time.
    usual: whether the reference is the machine's usual state; else it is the median of the sweep.
    """

    readings: Mapping[str, tuple[Reading, ...]]
    spans: tuple[Span, ...]
    usual: bool

    @property
    def reference(self) -> str:
        """What the readings are relative to, for people."""
        return "this machine's usual state" if self.usual else "the median of this sweep"

    @property
    def spread(self) -> dict[str, float]:
        """Kind of probe → standard deviation of the logarithm of its readings."""
        logs = {kind: [math.log(r.ratio) for r in own] for kind, own in self.readings.items()}
        return {kind: statistics.pstdev(own) for kind, own in logs.items()}

    @property
    def spells(self) -> list[Spell]:
        """What was off by ``NOTABLE`` or more for some seconds; first what matters most."""
        found = chain.from_iterable(_spells(kind, own) for kind, own in self.readings.items())
        return sorted(found, key=lambda spell: -spell.weight)


def machine_state(points: Iterable[Point]) -> MachineState | None:
    """The state of the machine of these points, which are of one; None without readings.

    It is relative to the usual state where the self-test's certificate of every point knows it.
    """
    measured = sorted((p for p in points if p.beats), key=lambda p: p.beats[0].began_at)
    if not measured:
        return None
    known = [reference_of(point.environment) or {} for point in measured]
    usual = all(set(_probes(p)) <= set(own) for p, own in zip(measured, known, strict=True))
    medians = {} if usual else _medians(measured)
    found: dict[str, list[tuple[float, float, int]]] = {}
    for place, (point, own) in enumerate(zip(measured, known, strict=True), start=1):
        for part in point.beats:
            for probe, values in part.seconds.items():
                reference = (own if usual else medians).get(probe, math.nan)
                found.setdefault(probe.partition("/")[0], []).extend(
                    (at, seconds / reference, place)
                    for at, seconds in zip(part.at, values, strict=True)
                    if seconds / reference > 0
                )
    spans = [
        Span(place, point, part.began_at, part.ended_at)
        for place, point in enumerate(measured, start=1)
        for part in point.beats
    ]
    readings = {kind: _readings(sorted(own)) for kind, own in found.items() if own}
    return MachineState(readings, tuple(sorted(spans, key=lambda span: span.began_at)), usual)


def _probes(point: Point) -> list[str]:
    return [probe for part in point.beats for probe in part.seconds]


def _medians(points: Sequence[Point]) -> dict[str, float]:
    """Probe → median of its readings."""
    values: dict[str, list[float]] = {}
    for part in chain.from_iterable(point.beats for point in points):
        for probe, own in part.seconds.items():
            values.setdefault(probe, []).extend(s for s in own if s > 0)
    return {probe: statistics.median(own) for probe, own in values.items() if own}


def _readings(rows: Sequence[tuple[float, float, int]]) -> tuple[Reading, ...]:
    ratios = [ratio for _, ratio, _ in rows]
    return tuple(
        Reading(
            at,
            ratio,
            statistics.median(ratios[max(0, i - _SMOOTH) : i + _SMOOTH + 1]),
            place,
        )
        for i, (at, ratio, place) in enumerate(rows)
    )


def _spells(kind: str, readings: Sequence[Reading]) -> list[Spell]:
    spells, run = list[Spell](), list[Reading]()
    for reading in readings:
        if run and (reading.at - run[-1].at > _END_S or _off(reading) != _off(run[-1])):
            spells += _spell(kind, run)
            run = []
        run.append(reading)
    return spells + _spell(kind, run)


def _off(reading: Reading) -> int:
    """1 where the machine was notably slower, -1 where it was faster, else 0."""
    slower, faster = reading.smooth >= 1 + NOTABLE, reading.smooth <= 1 / (1 + NOTABLE)
    return int(slower) - int(faster)


def _spell(kind: str, run: Sequence[Reading]) -> list[Spell]:
    """The spell of a run of readings that are alike, if they are one."""
    steps = [after.at - before.at for before, after in pairwise(run)]
    lasted_s = math.fsum(step for step in steps if step <= _PAUSE_S)
    if not _off(run[0]) or lasted_s < _SHORTEST_S:
        return []
    ratio = math.exp(statistics.fmean(math.log(reading.ratio) for reading in run))
    return [Spell(kind, lasted_s, ratio, tuple(sorted({r.place for r in run})))]
