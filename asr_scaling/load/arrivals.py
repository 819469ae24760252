"""Schedules: when requests are due and which utterance each carries, fixed before the first one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from asr_scaling.core.load_point import Arrivals
from asr_scaling.core.workload import Utterance
from asr_scaling.errors import DataError
from asr_scaling.load.trace import read_trace

MOST = 1_000_000
"""Requests of one schedule, at most."""


@dataclass(frozen=True)
class Schedule:
    """Requests of one load.

    arrivals: by which law they arrive.
    due_s: when each is due, in seconds from the start, never falling; empty where clients wait for
        answers.
    utterances: what each request carries.
    offered_per_s: requests a second; None where clients wait for answers.
    clients: clients that wait for answers; None where requests have due times.
    """

    arrivals: Arrivals
    due_s: tuple[float, ...]
    utterances: tuple[Utterance, ...]
    offered_per_s: float | None = None
    clients: int | None = None

    @property
    def seconds(self) -> float:
        """From the start to the last due time; 0 where clients wait for answers."""
        return self.due_s[-1] if self.due_s else 0.0


def poisson(
    rate_per_s: float, requests: int, utterances: Sequence[Utterance], seed: int
) -> Schedule:
    """Requests of independent users: the gaps between them are exponential, seeded."""
    random, due = Random(f"gaps {seed}"), list[float]()
    now = 0.0
    for _ in range(requests):
        now += random.expovariate(rate_per_s)
        due.append(now)
    carried = in_rounds(requests, utterances, seed)
    return Schedule("poisson", tuple(due), carried, rate_per_s)


def constant(
    rate_per_s: float, requests: int, utterances: Sequence[Utterance], seed: int
) -> Schedule:
    """Requests at equal gaps, the first one a gap after the start."""
    due = tuple((i + 1) / rate_per_s for i in range(requests))
    return Schedule("constant", due, in_rounds(requests, utterances, seed), rate_per_s)


def closed(clients: int, requests: int, utterances: Sequence[Utterance], seed: int) -> Schedule:
    """Requests of so many clients, each of which sends when it has its last answer."""
    return Schedule("closed", (), in_rounds(requests, utterances, seed), clients=clients)


def trace(path: Path, utterances: Sequence[Utterance], seed: int) -> Schedule:
    """Requests at the times of a file, which may name the utterance of each.

    Raises DataError when the file can't be read, or names an utterance that is not there.
    """
    rows = read_trace(path)
    known = {utterance.id: utterance for utterance in utterances}
    others = in_rounds(len(rows), utterances, seed)
    carried = list[Utterance]()
    for row, other in zip(rows, others, strict=True):
        if row.utterance is not None and row.utterance not in known:
            raise DataError(
                f"{path}, line {row.line}: no utterance '{row.utterance}' is among the "
                f"{len(known)} of this workload: leave it out, or raise pipeline.utterances."
            )
        carried.append(other if row.utterance is None else known[row.utterance])
    due = tuple(row.time_s for row in rows)
    span_s = due[-1] - due[0]
    rate = (len(due) - 1) / span_s if span_s else None
    return Schedule("trace", due, tuple(carried), rate)


def in_rounds(count: int, utterances: Sequence[Utterance], seed: int) -> tuple[Utterance, ...]:
    """``count`` utterances: each once in shuffled order, then all again in another order, seeded.

    So every length occurs as often as in the workload.
    """
    random, carried = Random(f"utterances {seed}"), list[Utterance]()
    while len(carried) < count:
        carried += random.sample(utterances, len(utterances))
    return tuple(carried[:count])


def within(rate_per_s: float, seconds: float) -> int:
    """How many requests are due within ``seconds`` at a rate: at least one, at most ``MOST``."""
    return max(1, min(MOST, math.ceil(rate_per_s * seconds)))
