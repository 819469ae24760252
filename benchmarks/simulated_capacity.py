"""How often the interval of a capacity holds the truth: searches on simulated servers.

PYTHONPATH=.:tests python benchmarks/simulated_capacity.py [servers] [seconds of load] [seed]

Each server is one of tests/support/known_servers.py, with all its times stretched by a factor of
its own, from 0.2 to 5. A search has ``seconds`` of load for a server with calls of 0.3 s, and as
many times more or fewer as the server is slower or faster; one that holds more than 7 requests a
second has less time, for as many requests as those had. Its first rate is between 0.4 and 0.8 of
the highest rate that the server could do at all.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from support.known_servers import Known, all_known
from support.simulated_servers import Probing, Stretched

from asr_scaling.load.bound import parsed
from asr_scaling.load.capacity_search import Plan, find_capacity

SECONDS = 600.0
_BUSY_PER_S = 7.0


@dataclass(frozen=True)
class Searched:
    """One search.

    holds: whether the interval holds the truth; None without an interval: it counts nowhere.
    error: logarithm of the rate over the true one; nan without a rate.
    precision: half the interval over the rate; inf where it is open.
    fewest: of the requests that were asked for in a load, over those that the bound needs.
    """

    kind: str
    holds: bool | None
    error: float
    precision: float
    requests: int
    seconds: float
    fewest: float
    ended: str
    method: str


def searched(known: Known, seed: int, seconds: float = SECONDS) -> Searched:
    """One search on a server of this kind."""
    rng = np.random.default_rng([seed, 1])
    factor = math.exp(rng.uniform(math.log(0.2), math.log(5)))
    server = Stretched(known.server, factor)
    bound = parsed(f"p{known.percentile:g}<{known.limit_s * factor:.6f}s")
    seconds *= min(1.0, _BUSY_PER_S / known.rate_per_s)
    probing = Probing(server, bound, seconds * factor, seed)
    start = server.most_per_s * rng.uniform(0.4, 0.8)
    found = find_capacity(bound, probing, Plan(start, seed=seed, lowest_per_s=start / 1000))
    truth, interval, rate = known.rate_per_s / factor, found.interval, found.rate_per_s
    return Searched(
        known.server.name + f" p{known.percentile:g}",
        interval.low <= truth <= interval.high if interval else None,
        math.log(rate / truth) if rate else math.nan,
        interval.half(rate) / rate if rate and interval else math.inf,
        probing.sent,
        (seconds * factor - probing.seconds) / factor,
        min(asked for _, asked in probing.asked) / bound.requests if probing.asked else math.inf,
        found.ended,
        found.method or "none",
    )


def _searched(task: tuple[int, int, float]) -> Searched:
    which, seed, seconds = task
    return searched(all_known()[which], seed, seconds)


def mixed(
    servers: int, seconds: float = SECONDS, seed: int = 1000, processes: int = 2
) -> list[Searched]:
    """Searches on so many servers of all kinds, by their shares."""
    kinds = [which for which, known in enumerate(all_known()) for _ in range(known.share)]
    order = np.random.default_rng(1).permutation(len(kinds))[:servers]
    tasks = [(kinds[which], seed + i, seconds) for i, which in enumerate(order)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(_searched, tasks, chunksize=4))


def main() -> None:
    """Prints a line for each kind of server, and one for all."""
    servers = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    results = mixed(servers, seconds, int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
    kinds = defaultdict[str, list[Searched]](list)
    for result in results:
        kinds[result.kind].append(result)
        kinds["all"].append(result)
    print(
        "server | searches | intervals | holds, % | precision p50, p90 | error sd |"
        " requests | s | by queue, %"
    )
    for kind, rows in sorted(kinds.items(), key=lambda item: (item[0] == "all", item[0])):
        stated = [row.holds for row in rows if row.holds is not None]
        holds = 100 * np.mean(stated)
        precise = np.quantile([row.precision for row in rows], [0.5, 0.9], method="lower")
        error = np.nanstd([row.error for row in rows])
        queue = 100 * np.mean([row.method == "queue" for row in rows])
        print(
            f"{kind} | {len(rows)} | {len(stated)} | {holds:.1f} |"
            f" {precise[0]:.3f}, {precise[1]:.3f} | {error:.3f} |"
            f" {np.median([row.requests for row in rows]):.0f} |"
            f" {np.median([row.seconds for row in rows]):.0f} | {queue:.0f}"
        )


if __name__ == "__main__":
    main()
