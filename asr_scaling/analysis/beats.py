"""The metronome's readings of a point, thinned: those of ten thousand points fit in memory."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.core.sample import Beat, Sample
from asr_scaling.util.groups import grouped

_MOST = 64
"""Readings that are kept of a point."""
_FEWEST = 4
"""Readings that are kept of each of its processes, if it has them."""


@dataclass(frozen=True)
class Beats:
    """Readings of one process that measured a point, in order, each the median of neighbours.

    began_at, ended_at: of its timed calls, seconds since 1970.
    at: when a reading was taken, seconds since 1970.
    seconds: probe → its seconds at each of these moments.
    """

    began_at: float
    ended_at: float
    at: array[float]
    seconds: Mapping[str, array[float]]


def thinned(beats: Sequence[Beat], samples: Sequence[Sample]) -> tuple[Beats, ...]:
    """The readings of each process, by time; empty where there are none."""
    found = grouped(beats, lambda beat: beat.process)
    most = max(_FEWEST, _MOST // len(found)) if found else 0
    calls = grouped(samples, lambda sample: sample.process)
    parts = [
        _of_process(sorted(own, key=lambda beat: beat.at), calls.get(process, []), most)
        for process, own in found.items()
    ]
    return tuple(sorted(parts, key=lambda part: part.began_at))


def _of_process(beats: Sequence[Beat], calls: Sequence[Sample], most: int) -> Beats:
    size = -(-len(beats) // most)
    groups = [beats[start : start + size] for start in range(0, len(beats), size)]
    probes = dict.fromkeys(probe for beat in beats for probe in beat.seconds)
    starts = [*(beat.at for beat in beats), *(call.started_at for call in calls)]
    ends = [*(beat.at for beat in beats), *(call.started_at + call.total_s for call in calls)]
    return Beats(
        min(starts),
        max(ends),
        array("d", (statistics.median(beat.at for beat in group) for group in groups)),
        {probe: array("d", (_median(group, probe) for group in groups)) for probe in probes},
    )


def _median(beats: Sequence[Beat], probe: str) -> float:
    """NaN where none of the readings has the probe."""
    values = [beat.seconds[probe] for beat in beats if probe in beat.seconds]
    return statistics.median(values) if values else float("nan")
