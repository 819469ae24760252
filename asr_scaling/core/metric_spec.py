"""What a metric's number means, and its direction in one word."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class MetricSpec:
    """What a metric's number means.

    better: "lower", "higher" or "neither".
    unit: of the SI, or "1" for a ratio.
    meaning: what was measured, for people.
    """

    better: Better
    unit: str
    meaning: str


lower = functools.partial(MetricSpec, "lower")
higher = functools.partial(MetricSpec, "higher")
neither = functools.partial(MetricSpec, "neither")
