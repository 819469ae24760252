"""What a stall of a service does to its latencies, as two kinds of load see it.

    python benchmarks/stall.py        # a minute each: a call takes 50 ms, one stall of 2 s

Requests that arrive by a schedule count from when they were due, so that those which wait for the
stall to end are there. Clients that wait for their answers send nothing meanwhile, so that one
request of each client is all that is slow: coordinated omission (G. Tene, How not to measure
latency, 2013).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from asr_scaling.core.ports import Reply
from asr_scaling.core.statistics import percentile
from asr_scaling.core.workload import Utterance
from asr_scaling.load import arrivals
from asr_scaling.load.arrivals import Schedule
from asr_scaling.load.drive import Limits, drive

CALL_S, STALL_S = 0.05, 2.0
RATE_PER_S = 10.0


class Stalling:
    """A worker that sleeps for each request, and once for longer."""

    def __init__(self, stall_after_s: float) -> None:
        self.facts: Mapping[str, Any] = {}
        self._queue: SimpleQueue[tuple[Utterance, Callable[[Reply], None]] | None] = SimpleQueue()
        self._stall_at = time.monotonic() + stall_after_s
        self._thread = Thread(target=self._run)
        self._thread.start()

    def submit(self, utterance: Utterance, replied: Callable[[Reply], None]) -> None:
        """Let it wait."""
        self._queue.put((utterance, replied))

    def close(self) -> None:
        """End the worker."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        stalled = False
        while (work := self._queue.get()) is not None:
            utterance, replied = work
            if not stalled and time.monotonic() >= self._stall_at:
                time.sleep(STALL_S)
                stalled = True
            begun_s = time.monotonic()
            time.sleep(CALL_S)
            replied(Reply("ok", time.monotonic(), begun_s, utterance.reference))


def main() -> None:
    """Print a row for each kind of load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    speech = (Utterance("u", np.zeros(16_000, dtype=np.float32), "words"),)
    many = arrivals.within(RATE_PER_S, seconds)
    print("load | requests | p50 s | p90 s | p95 s | p99 s | longest s")
    row(f"open: Poisson, {RATE_PER_S:g}/s", arrivals.poisson(RATE_PER_S, many, speech, 1), seconds)
    row("closed: 1 client", arrivals.closed(1, 10_000, speech, 1), seconds)


def row(name: str, schedule: Schedule, seconds: float) -> None:
    """Drive a load and print its latencies."""
    service = Stalling(seconds / 2)
    driven = drive(service, schedule, Limits(send_s=seconds))
    service.close()
    latency: Sequence[float] = [request.latency_s for request in driven.requests]
    figures = [percentile(latency, p) for p in (50, 90, 95, 99)]
    shown = " | ".join(f"{value:.3f}" for value in (*figures, max(latency)))
    print(f"{name} | {len(latency)} | {shown}", flush=True)


if __name__ == "__main__":
    main()
