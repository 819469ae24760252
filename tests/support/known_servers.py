"""Simulated servers of known capacity: by theory, or from 1,500,000 simulated requests and more.

``python -m support.known_servers``, in the folder tests, finds the simulated ones again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from support.simulated_servers import (
    Batches,
    BatchingWorkers,
    Drifting,
    Long,
    Server,
    Workers,
    exponential,
    fixed,
    lognormal,
    pareto,
)

S = 0.3


@dataclass(frozen=True)
class Known:
    """A server, what it is asked, and the highest rate that keeps it.

    share: of the servers in a mixed thousand, in thousandths.
    """

    server: Server
    percentile: float
    limit_s: float
    rate_per_s: float
    share: int = 0


def erlang_c(workers: int, load: float) -> float:
    """Chance that a request of M/M/c waits: Erlang 1917. load: arrivals times service time."""
    terms = [load**n / math.factorial(n) for n in range(workers)]
    last = load**workers / math.factorial(workers) * workers / (workers - load)
    return last / (sum(terms) + last)


def mmc_late(rate_per_s: float, service_s: float, workers: int, limit_s: float) -> float:
    """Share of the requests of M/M/c that are answered later than the limit.

    Gross et al., Fundamentals of Queueing Theory, 4th ed. 2008, section 2.3.
    """
    mu = 1 / service_s
    waits = erlang_c(workers, rate_per_s * service_s)
    spare = workers * mu - rate_per_s
    alone = math.exp(-mu * limit_s)
    if math.isclose(spare, mu):
        return alone * (1 + waits * mu * limit_s)
    both = (mu * math.exp(-spare * limit_s) - spare * alone) / (mu - spare)
    return (1 - waits) * alone + waits * both


def md1_wait_within(rate_per_s: float, service_s: float, limit_s: float) -> float:
    """Chance that a request of M/D/1 waits no longer than the limit: Erlang 1909; Crommelin."""
    steps = range(int(limit_s / service_s) + 1)
    late = [rate_per_s * (limit_s - k * service_s) for k in steps]
    terms = [(-x) ** k / math.factorial(k) * math.exp(x) for k, x in enumerate(late)]
    return (1 - rate_per_s * service_s) * math.fsum(terms)


def _solved(late, percentile: float, most_per_s: float) -> float:
    low, high = 0.0, most_per_s
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if late(middle) <= 1 - percentile / 100 else (low, middle)
    return low


def mmc(workers: int, percentile: float, limit_s: float, share: int) -> Known:
    rate = _solved(lambda r: mmc_late(r, S, workers, limit_s), percentile, 0.9999 * workers / S)
    server = Workers(f"M/M/{workers}", exponential(S), S, workers)
    return Known(server, percentile, limit_s, rate, share)


def md1(percentile: float, limit_s: float, share: int) -> Known:
    rate = _solved(lambda r: 1 - md1_wait_within(r, S, limit_s - S), percentile, 0.9999 / S)
    return Known(Workers("M/D/1", fixed(S), S), percentile, limit_s, rate, share)


def simulated() -> list[Known]:
    """Servers whose rates the simulation gave."""
    return [
        Known(Workers("lognormal 0.4", lognormal(S, 0.4), S), 99, 2.0, 2.0060, 210),
        Known(Workers("lognormal 0.8", lognormal(S, 0.8), S), 95, 2.0, 1.8514, 160),
        Known(Workers("Pareto 3", pareto(S, 3.0), S), 95, 2.0, 2.2957, 60),
        Known(Workers("Pareto 2.5", pareto(S, 2.5), S), 99, 4.0, 1.9816, 40),
        Known(Drifting("drift of 3 %", lognormal(S, 0.3), S), 99, 2.0, 2.0874, 150),
        Known(Workers("M/D/2", fixed(S), S, 2), 99, 2.0, 5.4606, 10),
        Known(Workers("M/G/2", lognormal(S, 0.5), S, 2), 95, 1.5, 5.2393, 10),
        Known(Batches("batches of 8", 0.2, 0.1, 8, 0.1), 99, 2.0, 5.6777, 15),
        Known(Batches("batches of 4", 0.3, 0.2, 4, 0.3), 95, 3.0, 2.6483, 15),
        Known(two_workers(0.3, 0.03), 99, 2.0, 27.843, 10),
        Known(two_workers(0.02, 0.06), 99, 2.0, 30.133, 10),
    ]


def all_known() -> list[Known]:
    """Every kind of server; their shares make a thousand."""
    by_theory = [
        mmc(1, 95, 2.0, 160),
        mmc(1, 99, 3.0, 80),
        md1(99, 2.0, 60),
        mmc(4, 99, 2.0, 10),
    ]
    return by_theory + simulated()


def two_workers(fixed_s: float, each_s: float) -> BatchingWorkers:
    """Two workers of batches up to 8, of requests that are not alike."""
    name = f"2 x batches of 8, {fixed_s:g} + n · {each_s:g} s"
    return BatchingWorkers(name, lognormal(each_s, 0.5), fixed_s, each_s, 8, 2)


if __name__ == "__main__":
    for known in simulated():
        rate = Long(known.server, 1_500_000, 11).capacity(known.percentile, known.limit_s)
        print(f"{known.server.name}, p{known.percentile}<{known.limit_s}s: {rate:.4f}")
