"""A made-up machine whose state is known: beats of a metronome beside the calls of records."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat

PROBES = {"memory/2": 0.006, "products/2": 0.003, "dispatch": 0.001}
"""Probe → seconds that it takes in the usual state."""
Slowness = Callable[[str, float], float]
"""Probe and moment (seconds since the sweep began) → how many times as long it takes."""


def usual(probe: str, moment: float) -> float:
    return 1.0


def with_beats(
    records: Sequence[RunRecord],
    slowness: Slowness = usual,
    *,
    point_s: float = 30.0,
    pause_s: float = 60.0,
    every_s: float = 0.5,
    noise: float = 0.02,
    known: bool = True,
) -> list[RunRecord]:
    """The records one after another, each timed for ``point_s`` with a beat all ``every_s``.

    known: whether a certificate says what the usual state is.
    """
    dice, began = random.Random(7), 1_795_000_000.0
    made = []
    for number, record in enumerate(records):
        start = began + number * (point_s + pause_s)
        moments = [start + every_s * i for i in range(int(point_s / every_s))]
        beats = tuple(
            Beat(
                at,
                {
                    probe: seconds * slowness(probe, at - began) * dice.lognormvariate(0, noise)
                    for probe, seconds in PROBES.items()
                },
            )
            for at in moments
        )
        step = point_s / max(1, len(record.samples))
        samples = tuple(
            replace(sample, started_at=start + i * step) for i, sample in enumerate(record.samples)
        )
        certificate = {"status": "pass", "at": "2026-11-29T10:00:00+00:00"}
        if known:
            certificate["usual_state"] = dict(PROBES)
        environment = {**record.environment, "certificate": certificate}
        times = {"started_at": start - 5, "ended_at": start + point_s + 5}
        made.append(replace(record, beats=beats, samples=samples, environment=environment, **times))
    return made
