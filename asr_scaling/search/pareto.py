"""What no other way to run the model beats in everything: more than two axes, some of them unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from asr_scaling.core.metrics import metric_spec

_T = TypeVar("_T")
LATENCIES = ("latency/p95_s", "latency/p50_s", "latency/mean_s")
"""The first that every point has: a percentile is withheld where too few calls bound it."""
AXES = (
    "throughput/rtfx",
    "energy/per_audio_second_j",
    "memory/peak_device_bytes",
    "memory/peak_rss_bytes",
)
QUALITY = "quality/wer"


def front(
    things: Sequence[_T], values: Callable[[_T], Mapping[str, float]]
) -> tuple[list[_T], tuple[str, ...]]:
    """The things that nothing beats, and the metrics it went by: those that every one has.

    A beats B when it is nowhere worse and somewhere better, each metric in its own direction.
    """
    known = [values(each) for each in things]
    axes = [next((name for name in LATENCIES if all(name in row for row in known)), "")]
    axes += [name for name in (*AXES, QUALITY) if all(name in row for row in known)]
    kept = tuple(name for name in axes if name) if things else ()
    costs = [tuple(_cost(name, row[name]) for name in kept) for row in known]
    return [
        each
        for each, mine in zip(things, costs, strict=True)
        if not any(_beats(c, mine) for c in costs)
    ], kept


def _cost(name: str, value: float) -> float:
    return -value if metric_spec(name).better == "higher" else value


def _beats(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)
