"""Servers whose requests are answered by arithmetic, with the capacity that theory gives them.

Each server knows when a request that is due is answered. Times are seconds. Used by the tests of
load/ and analysis/capacity, and benchmarks/simulated_capacity.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapreplace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_scaling.load.bound import Bound
from asr_scaling.load.probed import Probed

_LASTS = 20.0
Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
"""Draws so many service times."""


class Server(Protocol):
    """Answers requests in the order in which they are due."""

    @property
    def name(self) -> str: ...

    @property
    def most_per_s(self) -> float:
        """Requests a second that it answers when they always wait."""

    def done(self, due_s: Floats, rng: np.random.Generator) -> Floats:
        """When each request is answered."""


def poisson(rate_per_s: float, requests: int, rng: np.random.Generator) -> Floats:
    """When requests are due that arrive at random."""
    return np.cumsum(rng.exponential(1 / rate_per_s, requests))


def one_by_one(due_s: Floats, service_s: Floats) -> Floats:
    """When one worker has answered each, first come first served.

    Lindley 1952, The theory of queues with a single server: in closed form a request is done at
    the largest, over all before it, of its due time and all service from there on.
    """
    before = np.concatenate([[0.0], np.cumsum(service_s)[:-1]])
    return before + service_s + np.maximum.accumulate(due_s - before)


def by_workers(due_s: Floats, service_s: Floats, workers: int) -> Floats:
    """When ``workers`` have answered each: the one that is free first takes the next request."""
    free = [0.0] * workers
    done = list[float]()
    for due, service in zip(due_s.tolist(), service_s.tolist(), strict=True):
        end = max(due, free[0]) + service
        heapreplace(free, end)
        done.append(end)
    return np.array(done)


@dataclass(frozen=True)
class Workers:
    """Workers that answer one request each; ``draw`` gives service times of mean ``service_s``."""

    name: str
    draw: Draw
    service_s: float
    workers: int = 1

    @property
    def most_per_s(self) -> float:
        return self.workers / self.service_s

    def done(self, due_s: Floats, rng: np.random.Generator) -> Floats:
        service = self.draw(rng, len(due_s))
        if self.workers == 1:
            return one_by_one(due_s, service)
        return by_workers(due_s, service, self.workers)


@dataclass(frozen=True)
class Batches:
    """One worker that takes all that wait, up to ``most``, in a call of ``fixed_s + each_s · n``.

    spread: standard deviation of the logarithm of a call's time.
    """

    name: str
    fixed_s: float
    each_s: float
    most: int
    spread: float = 0.0

    @property
    def most_per_s(self) -> float:
        return self.most / (self.fixed_s + self.each_s * self.most)

    def done(self, due_s: Floats, rng: np.random.Generator) -> Floats:
        done = np.empty(len(due_s))
        noise = np.exp(self.spread * rng.standard_normal(len(due_s)) - self.spread**2 / 2)
        due, factors = due_s.tolist(), noise.tolist()
        first, free, count = 0, 0.0, len(due)
        while first < count:
            begun = max(free, due[first])
            last = first + 1
            while last < count and last - first < self.most and due[last] <= begun:
                last += 1
            free = begun + (self.fixed_s + self.each_s * (last - first)) * factors[first]
            done[first:last] = free
            first = last
        return done


@dataclass(frozen=True)
class BatchingWorkers:
    """Workers, each of which takes all that wait, up to ``most``, when it is free.

    A call takes ``fixed_s`` and the sum of what its requests take: ``draw`` gives those.
    each_s: mean of what is drawn.
    """

    name: str
    draw: Draw
    fixed_s: float
    each_s: float
    most: int
    workers: int

    @property
    def most_per_s(self) -> float:
        return self.workers * self.most / (self.fixed_s + self.each_s * self.most)

    def done(self, due_s: Floats, rng: np.random.Generator) -> Floats:
        done = np.empty(len(due_s))
        due, needed = due_s.tolist(), np.concatenate([[0], np.cumsum(self.draw(rng, len(due_s)))])
        free, first, count = [0.0] * self.workers, 0, len(due_s)
        while first < count:
            begun = max(free[0], due[first])
            last = first + 1
            while last < count and last - first < self.most and due[last] <= begun:
                last += 1
            end = begun + self.fixed_s + float(needed[last] - needed[first])
            heapreplace(free, end)
            done[first:last] = end
            first = last
        return done


@dataclass(frozen=True)
class Drifting:
    """A server whose times wander: ``server``'s, stretched by a slow random walk around 1.

    share: standard deviation of the logarithm of the stretch.
    minutes: after which the stretch has lost most of its memory (an Ornstein-Uhlenbeck process).
    """

    name: str
    draw: Draw
    service_s: float
    share: float = 0.03
    minutes: float = 1.0

    @property
    def most_per_s(self) -> float:
        return 1 / self.service_s

    def done(self, due_s: Floats, rng: np.random.Generator) -> Floats:
        from scipy.signal import lfilter

        step = 5.0
        kept = math.exp(-step / (60 * self.minutes))
        count = int(due_s[-1] / step) + 2
        pushes = (
            rng.standard_normal(count)
            * self.share
            * np.array([1.0, *[math.sqrt(1 - kept**2)] * (count - 1)])
        )
        walk = lfilter([1.0], [1.0, -kept], pushes)
        stretch = np.exp(np.interp(due_s, step * np.arange(count), walk))
        return one_by_one(due_s, self.draw(rng, len(due_s)) * stretch)


@dataclass(frozen=True)
class Stretched:
    """A server whose times are all so many times as long."""

    server: Server
    factor: float

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def most_per_s(self) -> float:
        return self.server.most_per_s / self.factor

    def done(self, due_s: Floats, rng: np.random.Generator) -> Floats:
        return self.server.done(due_s / self.factor, rng) * self.factor


def exponential(mean_s: float) -> Draw:
    return lambda rng, n: rng.exponential(mean_s, n)


def fixed(mean_s: float) -> Draw:
    return lambda rng, n: np.full(n, mean_s)


def lognormal(mean_s: float, spread: float) -> Draw:
    """spread: standard deviation of the logarithm."""
    return lambda rng, n: mean_s * np.exp(spread * rng.standard_normal(n) - spread**2 / 2)


def pareto(mean_s: float, index: float) -> Draw:
    """Pareto's law with this tail index, more than 1, from its smallest value on."""
    smallest = mean_s * (index - 1) / index
    return lambda rng, n: smallest * (1 + rng.pareto(index, n))


@dataclass(frozen=True)
class Long:
    """A long simulation that finds a capacity: the same random numbers at every rate."""

    server: Server
    requests: int = 400_000
    seed: int = 7
    cut: int = field(default=2_000)

    def late(self, rate_per_s: float, bound_s: float) -> float:
        """Share of the requests that are answered later than ``bound_s``."""
        rng = np.random.default_rng(self.seed)
        due = poisson(rate_per_s, self.requests, rng)
        return float((self.server.done(due, rng) - due > bound_s)[self.cut :].mean())

    def capacity(self, percentile: float, bound_s: float) -> float:
        """Highest rate at which ``percentile`` (0…100) of the latencies is within the bound."""
        low, high = 0.0, self.server.most_per_s
        while high / max(low, 1e-9) > 1.001:
            middle = (low + high) / 2
            kept = self.late(middle, bound_s) <= 1 - percentile / 100
            low, high = (middle, high) if kept else (low, middle)
        return (low + high) / 2


@dataclass
class Probing:
    """Puts Poisson loads on a simulated server, for so many seconds in all.

    A load lasts 20 times the bound at least, as those of scenario=capacity, and ends early once 100
    requests were due and three times as many were late as may be.
    """

    server: Server
    bound: Bound
    seconds: float
    seed: int
    sent: int = 0
    asked: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def left_s(self) -> float:
        return self.seconds

    def probe(self, rate_per_s: float, requests: int) -> Probed:
        lasts_s = min(_LASTS * max(term.limit_s for term in self.bound.percentiles), self.seconds)
        requests = max(requests, math.ceil(rate_per_s * lasts_s))
        due = poisson(rate_per_s, requests, self.rng)
        latency = self.server.done(due, self.rng) - due
        count = requests
        for term in self.bound.percentiles:
            late = np.cumsum(latency > term.limit_s) > 3 * term.late_share * requests
            count = min(count, max(int(np.argmax(late)), 100)) if late.any() else count
        self.sent += count
        self.seconds -= float(due[count - 1])
        self.asked.append((rate_per_s, requests))
        return Probed(rate_per_s, due[:count], latency[:count])
