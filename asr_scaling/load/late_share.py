"""Which share of requests a queue answers too late, as a function of their rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asr_scaling.load.queue_law import Drawn, Gaps, QueueLaw, drawn, latencies

_Floats = NDArray[np.float64]
_STEPS = 400
"""Steps on the axis of time, from 0 to the bound."""
_NEAR = 0.7
"""Share of the most that a queue answers from which on it takes long to reach its length."""
_RUNS = {
    (False, False): (400, 300, 100),
    (True, False): (300, 100, 100),
    (False, True): (200, 700, 800),
    (True, True): (150, 250, 650),
}
"""Rough, and near the most → runs, counted requests of each, and those before them, which see a
queue that began empty. Near the most the queue has to be watched for longer: its length forgets
its begin within about 1 / (1 - utilisation)² requests."""
_CLOSE = 0.003
"""Relative distance at which two rates are one."""
_LEAST = 1e-9
"""Share that stands for none, so that it has a logarithm."""


@dataclass
class LateShare:
    """Late shares of queues under one law of arrivals, with the same random numbers for all.

    gaps: the law of arrivals.
    bound_s: answers after so many seconds are late.
    seed: of the random numbers, where a share has to be simulated.
    """

    gaps: Gaps
    bound_s: float
    seed: int
    _numbers: dict[tuple[bool, bool], Drawn] = field(default_factory=dict, init=False, repr=False)

    def exact(self, law: QueueLaw) -> bool:
        """Whether theory gives the share, without any random numbers."""
        alike = law.workers == 1 and law.idle == 0 and len(law.by_size) == 1
        return self.gaps == "poisson" and alike

    def log(self, law: QueueLaw, rate_per_s: float, rough: bool = False) -> float:
        """Logarithm of the late share at this rate.

        rough: by fewer requests, for differences between laws.
        """
        if self.exact(law):
            return math.log(max(_pollaczek_khinchine(law.call_s, rate_per_s, self.bound_s), _LEAST))
        if rate_per_s >= law.most_per_s:
            return 0.0  # the queue grows for ever
        return math.log(max(float(self._late(law, rate_per_s, rough).mean()), _LEAST))

    def log_error(self, law: QueueLaw, rate_per_s: float) -> float:
        """Standard error of ``log`` by simulation; 0 where theory gives it."""
        if self.exact(law):
            return 0.0
        shares = self._late(law, rate_per_s)
        mean = max(float(shares.mean()), _LEAST)
        return float(shares.std(ddof=1)) / math.sqrt(len(shares)) / mean

    def _late(self, law: QueueLaw, rate_per_s: float, rough: bool = False) -> _Floats:
        """Late share of each simulated run."""
        kind = (rough, rate_per_s > _NEAR * law.most_per_s)
        if kind not in self._numbers:
            self._numbers[kind] = drawn(self.gaps, self.seed, *_RUNS[kind])
        times = latencies(law, rate_per_s, self._numbers[kind])
        late: _Floats = (times > self.bound_s).mean(axis=1)
        return late


def rate_where(log_share: Callable[[float], float], target: float, most_per_s: float) -> float:
    """The rate at which the logarithm of the late share is ``target``.

    log_share: of a rate; it grows with it. most_per_s: a rate above which all wait for ever.
    0 where even single requests are later than that.
    """
    farther, high = 0.1, most_per_s
    while farther < 12:
        low = most_per_s * math.exp(-farther)
        if log_share(low) <= target:
            return rate_between(log_share, target, low, high)
        farther, high = 2 * farther, low
    return 0.0


def rate_between(
    log_share: Callable[[float], float], target: float, first_per_s: float, last_per_s: float
) -> float:
    """The rate between the two where the logarithm is ``target``; else the nearer of the two."""
    from scipy.optimize import brentq

    ends = sorted((math.log(first_per_s), math.log(last_per_s)))
    below, above = (log_share(math.exp(end)) - target for end in ends)
    if below >= 0 or above <= 0:
        return math.exp(ends[0] if below >= 0 else ends[1])

    def excess(log_rate: float) -> float:
        return log_share(math.exp(log_rate)) - target

    return math.exp(brentq(excess, *ends, xtol=_CLOSE))


def _pollaczek_khinchine(call_s: _Floats, rate_per_s: float, bound_s: float) -> float:
    """Share of the requests of a queue M/G/1 that are answered after more than ``bound_s``.

    call_s: the calls' times, sorted, all equally likely.

    The wait is a sum of a geometrically distributed number of residual calls (Pollaczek 1930,
    Khinchine 1932; Gross et al., Fundamentals of Queueing Theory, section 5.1). On a grid of time
    its distribution is a recursion (Panjer 1981); each piece of a residual call's probability is
    shared between the two ends of its cell.
    """
    from scipy.signal import lfilter

    mean = float(call_s.mean())
    utilisation = rate_per_s * mean
    if utilisation >= 1:
        return 1.0
    grid = np.linspace(0.0, bound_s, _STEPS + 1)
    within = np.searchsorted(call_s, grid, side="right")
    sums = np.concatenate([[0.0], np.cumsum(call_s)])
    pieces = np.diff((sums[within] + grid * (len(call_s) - within)) / len(call_s)) / mean
    residual = np.zeros(_STEPS + 1)
    residual[:-1] += pieces / 2
    residual[1:] += pieces / 2
    recursion = -utilisation * residual
    recursion[0] += 1
    impulse = np.zeros(_STEPS + 1)
    impulse[0] = 1 - utilisation
    wait = lfilter([1.0], recursion, impulse)
    longer = 1 - np.searchsorted(call_s, bound_s - grid, side="right") / len(call_s)
    return float((wait * longer).sum() + 1 - wait.sum())
