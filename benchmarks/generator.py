"""How late requests are sent, on an idle machine and beside one whose cores are all busy.

    python benchmarks/generator.py                # 10, 100 and 500 requests a second, 8 s each
    python benchmarks/generator.py --seconds 30

Goal: 500 requests a second with a 99th percentile below 2 ms beside the busy cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

from asr_scaling.core.statistics import percentile
from asr_scaling.load.generator import Generator
from asr_scaling.machine.environment import allowed_cores

RATES_PER_S = (10.0, 100.0, 500.0)
GOAL_S = 0.002


def main() -> int:
    """Print a row for each rate, idle and busy; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    seconds = parser.parse_args().seconds
    print("machine | requests/s | late p50 ms | p99 ms | longest ms | scheduling")
    worst_s = 0.0
    for name, workers in (("as it is", 0), ("all cores busy", len(allowed_cores()))):
        with busy(workers):
            for rate in RATES_PER_S:
                late, scheduling = lateness(rate, seconds)
                p50, p99 = (percentile(late, p) for p in (50, 99))
                figures = " | ".join(f"{1e3 * value:.3f}" for value in (p50, p99, max(late)))
                print(f"{name} | {rate:g} | {figures} | {scheduling}", flush=True)
                worst_s = max(worst_s, p99)
    return int(worst_s > GOAL_S)


def lateness(rate_per_s: float, seconds: float) -> tuple[list[float], str]:
    """Seconds that each request of a Poisson schedule was sent late, and how it was scheduled."""
    from random import Random

    random, now, due = Random(1), 0.0, list[float]()
    while now < seconds:
        now += random.expovariate(rate_per_s)
        due.append(now)
    with Generator() as generator:
        start_s = time.monotonic() + 0.05
        times = [start_s + due_s for due_s in due]
        fired = [fired_s - times[number] for number, fired_s in generator.fired(times)]
        return fired, generator.scheduling


@contextmanager
def busy(workers: int) -> Iterator[None]:
    """In this block so many processes compute without a pause."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=spin, daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        time.sleep(1.0 if workers else 0.0)
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def spin() -> None:
    """Never ends."""
    while True:
        sum(range(1000))


if __name__ == "__main__":
    raise SystemExit(main())
