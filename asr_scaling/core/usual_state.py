"""The usual state of a machine: what its metronome's probes take (machine/metronome.py)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from asr_scaling.core.sample import Beat


def usual_state(beats: Iterable[Beat]) -> dict[str, float]:
    """Probe → median of the seconds that it took in ``beats``; empty without beats."""
    seconds: dict[str, list[float]] = {}
    for beat in beats:
        for probe, value in beat.seconds.items():
            seconds.setdefault(probe, []).append(value)
    return {probe: statistics.median(values) for probe, values in seconds.items()}
