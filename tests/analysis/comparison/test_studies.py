"""Simulated studies: systems that differ by three times the noise floor are told apart,
identical ones are not.

Times of calls are lognormal around an effect of the utterance. A system's time for a batch is the
mean over it, so that identical systems have one latency at every batch size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from asr_scaling.analysis.comparison.verdict import LATENCY, RTFX, compare
from asr_scaling.core.record import Metric, RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import noise_floor

STUDIES, UTTERANCES, NOISE = 100, 16, 0.05
Times = dict[tuple[str, ...], list[float]]


def timed(rng: np.random.Generator, effects: Sequence[float], size: int, rounds: int) -> Times:
    """Input → times of its calls."""
    ids = [f"u{i}" for i in range(UTTERANCES)]
    return {
        tuple(ids[i : i + size]): [
            float(np.mean(effects[i : i + size]) * rng.lognormal(0, NOISE)) for _ in range(rounds)
        ]
        for i in range(0, UTTERANCES, size)
    }


def record(times: Times, factor: float = 1.0) -> RunRecord:
    """Going round all inputs, as the timed pass does; every call ``factor`` times as long."""
    samples = tuple(
        Sample(ids, 3.0 * len(ids), 3.0 * len(ids), factor * time, {})
        for calls in zip(*times.values(), strict=True)
        for ids, time in zip(times, calls, strict=True)
    )
    return RunRecord(
        "x", "ok", {}, {}, samples=samples, metrics=(Metric("noise/latency_floor", floor(times)),)
    )


def floor(times: Times) -> float:
    found = noise_floor(list(times.values()))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("size_a", "rounds_a", "size_b", "rounds_b", "metrics"),
    [
        (1, 2, 1, 2, (LATENCY, RTFX)),
        (8, 6, 8, 6, (LATENCY, RTFX)),
        (16, 6, 16, 6, (LATENCY, RTFX)),
        (1, 4, 8, 6, (LATENCY,)),
    ],
)
def test_told_apart_and_not_told_apart(
    size_a: int, rounds_a: int, size_b: int, rounds_b: int, metrics: tuple[str, ...]
) -> None:
    found, invented = dict.fromkeys(metrics, 0), dict.fromkeys(metrics, 0)
    for seed in range(STUDIES):
        rng = np.random.default_rng(seed)
        effects = rng.lognormal(0, 0.5, UTTERANCES)
        a, b = timed(rng, effects, size_a, rounds_a), timed(rng, effects, size_b, rounds_b)
        factor = 1 + 3 * max(floor(a), floor(b))
        differing, same = compare(record(a), record(b, factor)), compare(record(a), record(b))
        for metric in metrics:
            found[metric] += differing.row(metric).verdict == "slower"
            invented[metric] += same.row(metric).verdict in ("faster", "slower")
    assert min(found.values()) >= 95
    assert max(invented.values()) <= 5
