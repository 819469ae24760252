"""How long requests of a load took, how late they were sent, and how many got nothing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import (
    PERCENTILES,
    mean_interval,
    percentile,
    samples_needed,
    share_interval,
)
from asr_scaling.load.drive import Request
from asr_scaling.load.looks import Figures
from asr_scaling.load.percentile import latency_percentile

_SHARES = {
    "load/failed_share": "failed",
    "load/refused_share": "refused",
    "load/timed_out_share": "timed_out",
}
_WAITS = {"load/queue_wait_p50_s": 50, "load/queue_wait_p99_s": 99}
_LATE = {"load/generator_late_p50_s": 50, "load/generator_late_p99_s": 99}
_LATEST = "load/generator_late_max_s"
LATE_SHARE = "load/late_share"
LATENCIES = (
    "load/latency_mean_s",
    *(f"load/latency_p{p}_s" for p in PERCENTILES),
    "load/latency_max_s",
    *_WAITS,
    LATE_SHARE,
)
"""What is withheld where the generator did not keep its schedule."""


def latencies(requests: Sequence[Request], limit_s: float | None) -> Figures:
    """Latencies from when requests were due, and waits for their calls.

    A request without a text is answered never: a percentile that it reaches has no value.

    limit_s: the latency that a bound is about; None without one.
    """
    due, values = [r.due_s for r in requests], [r.latency_s for r in requests]
    figures: Figures = {
        "load/latency_mean_s": _mean(values),
        "load/latency_max_s": _max(values),
        LATE_SHARE: "no bound on latency was asked for",
    }
    for p in PERCENTILES:
        name = f"load/latency_p{p}_s"
        figures[name] = _percentile(name, due, values, p)
    if limit_s is not None and values:
        late = sum(value > limit_s for value in values)
        figures[LATE_SHARE] = _share(LATE_SHARE, late, len(values))
    return figures | _waits(requests)


def _waits(requests: Sequence[Request]) -> Figures:
    answered = [r for r in requests if r.answered]
    told = [(r.due_s, r.reply.begun_s) for r in answered if r.reply and r.reply.begun_s is not None]
    if not told:
        why = "the service does not tell when a call began" if answered else "nothing was answered"
        return dict.fromkeys(_WAITS, why)
    due, waits = [due_s for due_s, _ in told], [begun_s - due_s for due_s, begun_s in told]
    return {name: _percentile(name, due, waits, p) for name, p in _WAITS.items()}


def lateness(requests: Sequence[Request]) -> Figures:
    """How long after they were due the generator sent requests, of all that it sent."""
    late = [request.fired_s - request.due_s for request in requests]
    if not late:
        return dict.fromkeys((*_LATE, _LATEST), "no request was sent")
    figures: Figures = {
        name: Metric(name, percentile(late, p), len(late)) for name, p in _LATE.items()
    }
    return figures | {_LATEST: Metric(_LATEST, max(late), len(late))}


def no_lateness() -> Figures:
    """Of clients that wait for answers."""
    return dict.fromkeys((*_LATE, _LATEST), "closed arrivals have no schedule to be late for")


def shares(requests: Sequence[Request]) -> Figures:
    """Shares of the requests that failed, were refused, and timed out."""
    if not requests:
        return dict.fromkeys(_SHARES, "no request was counted")
    n = len(requests)
    counts = {name: sum(r.status == status for r in requests) for name, status in _SHARES.items()}
    return {name: _share(name, count, n) for name, count in counts.items()}


def batches(requests: Sequence[Request]) -> Figures:
    """How many requests the call had that answered one, in the mean over requests."""
    name = "load/batch_mean"
    sizes = [r.reply.shared for r in requests if r.reply is not None and r.reply.shared is not None]
    if not sizes:
        return {name: "the service does not tell which requests a call answered together"}
    return {name: Metric(name, statistics.fmean(sizes), len(sizes))}


def _share(name: str, some: int, of: int) -> Metric:
    return Metric(name, some / of, of, share_interval(some, of))


def _percentile(
    name: str, due_s: Sequence[float], values: Sequence[float], p: float
) -> Metric | str:
    """Without an interval where its upper end is beyond every answer."""
    n, needed = len(values), samples_needed(p)
    if n < needed:
        return f"{n} requests can't bound it, {needed} can: raise scenario.requests or seconds"
    found = latency_percentile(np.asarray(due_s), np.asarray(values), p)
    if math.isinf(found.value_s):
        lost = sum(map(math.isinf, values))
        return f"{lost} of {n} requests got no text in time: this percentile is beyond any answer"
    interval = found.interval_s
    return Metric(name, found.value_s, n, None if math.isinf(interval.high) else interval)


def _mean(values: Sequence[float]) -> Metric | str:
    return _over_all("load/latency_mean_s", values) or Metric(
        "load/latency_mean_s", statistics.fmean(values), len(values), mean_interval(values)
    )


def _max(values: Sequence[float]) -> Metric | str:
    name = "load/latency_max_s"
    return _over_all(name, values) or Metric(name, max(values), len(values))


def _over_all(name: str, values: Sequence[float]) -> str:
    """Why a figure over all requests has no value; empty where it has one."""
    if not values:
        return "no request was counted"
    lost = sum(map(math.isinf, values))
    return f"{lost} of {len(values)} requests got no text in time" if lost else ""
