"""The rate at which a share of requests is late: the edge of what a service holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from asr_scaling.core.statistics import Interval

Method = Literal["queue", "counts"]
"""By a queue with the calls of the service, or by counting late requests alone."""


@dataclass(frozen=True)
class Edge:
    """A rate with its interval.

    rate_per_s: the highest at which the percentile keeps its limit.
    interval: of that rate.
    method: what it follows from.
    law: that queue in words; empty where late requests were counted.
    log_share: rate → logarithm of the share of late requests, where a queue says it.
    """

    rate_per_s: float
    interval: Interval
    method: Method
    law: str = ""
    log_share: Callable[[float], float] = field(default=lambda rate: math.nan, compare=False)

    @property
    def precision(self) -> float:
        """The larger distance to the interval's ends over the rate; inf for a rate of 0."""
        value = self.rate_per_s
        return self.interval.half(value) / value if value > 0 else float("inf")
