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
    mfu, names = point.value("utilisation/mfu_encoder"), (*CLASSES, "python")
    parts = {name: point.value(f"ops/encoder_{name}_share") for name in names}
    known = {name: share for name, share in parts.items() if share is not None}
    traced_s, timed_s = point.value("ops/encoder_s"), point.value("stage/encoder_s")
    if mfu is None or not traced_s or not timed_s:
        return None
    found = EncoderTime(mfu, traced_s / timed_s, known)
    return found if found.products else None


def where_the_rest_goes(point: Point) -> str:
    """Where time goes that the peak would not need; empty where it is little or unknown."""
    found = encoder_time(point)
    if found is None or found.mfu >= AT_PEAK:
        return ""
    rest = [
        f"{_CLASS[name]} {percent(share, 2)}"
        for name, share in found.rest.items()
        if share >= _WORTH_SAYING
    ]
    products = (
        f"its products take {percent(found.products, 2)} of its time and run at "
        f"{percent(found.rate, 2)} of peak"
    )
    slower = (
        [f"in a traced call {found.slower:.1f} times as long"] if found.slower >= _SLOWER else []
    )
    return ", ".join((products, *rest, *slower))
