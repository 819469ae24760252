"""Where the encoder's time goes that the machine's peak would not need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from asr_scaling.analysis.bottlenecks.diagnosis import AT_PEAK, CLASSES
from asr_scaling.analysis.format import percent
from asr_scaling.analysis.points import Point

PRODUCTS = ("gemm", "attention", "convolution")
"""The classes whose operations are counted."""
_CLASS = {
    "normalisation": "normalisation and softmax",
    "memory": "copies",
    "other": "activations and other operators",
    "python": "Python between operators",
}
_WORTH_SAYING = 0.02
"""Least share of the encoder's time that is named."""
_SLOWER = 1.2
"""A traced call so many times slower than the timed ones may spend its time elsewhere."""


@dataclass(frozen=True)
class EncoderTime:
    """Where the encoder's time goes."""

    mfu: float
    """Its share of peak FLOP/s in the timed calls."""
    slower: float
    """The traced call's time over that of the timed calls."""
    parts: Mapping[str, float]
    """Class of operators → share of the traced call's time."""

    @property
    def products(self) -> float:
        """Share of its time in operators whose operations are counted."""
        return math.fsum(self.parts.get(name, 0.0) for name in PRODUCTS)

    @property
    def rate(self) -> float:
        """Share of peak FLOP/s that these reach while they run, in the traced call."""
        return self.mfu / self.slower / self.products

    @property
    def rest(self) -> dict[str, float]:
        """Class → share of its time, of all others, the largest first."""
        others = {name: share for name, share in self.parts.items() if name not in PRODUCTS}
        return dict(sorted(others.items(), key=lambda item: -item[1]))


def encoder_time(point: Point) -> EncoderTime | None:
    """Where it goes; None where it was not traced, or how near the peak it runs is not known."""
    mfu = point.value("utilisation/mfu_encoder")
    metrics = {name: f"ops/encoder_{name}_share" for name in (*CLASSES, "python")}
    parts = {name: point.values[key] for name, key in metrics.items() if key in point.values}
    traced_s, timed_s = point.value("ops/encoder_s"), point.value("stage/encoder_s")
    if mfu is None or not traced_s or not timed_s:
        return None
    time = EncoderTime(mfu, traced_s / timed_s, parts)
    return time if time.products else None


def where_the_rest_goes(point: Point) -> str:
    """Where time goes that the peak would not need; empty where it is little or unknown."""
    time = encoder_time(point)
    if time is None or time.mfu >= AT_PEAK:
        return ""
    products, rate = percent(time.products, 2), percent(time.rate, 2)
    parts = [f"its products take {products} of its time and run at {rate} of peak"]
    large = {name: share for name, share in time.rest.items() if share >= _WORTH_SAYING}
    parts += [f"{_CLASS[name]} {percent(share, 2)}" for name, share in large.items()]
    if time.slower >= _SLOWER:
        parts.append(f"in a traced call {time.slower:.1f} times as long")
    return ", ".join(parts)
