"""What the loads that were tried say of the highest rate that keeps a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr_scaling.core.statistics import Interval
from asr_scaling.load.acceptance import Counted, contradicts, counted, counted_edge
from asr_scaling.load.bound import Bound, Percentile
from asr_scaling.load.edge import Edge
from asr_scaling.load.late_share import LateShare
from asr_scaling.load.probed import Judged, Probed
from asr_scaling.load.queue_edge import queue_edge
from asr_scaling.load.queue_law import Gaps

_SURE = 0.9
"""Of a rate at which a load kept the bound, so much is sure to keep it for ever where requests are
hardly late until a service is overloaded: a load of 20 times the bound shows no backlog that grows
by less than 5 %, and ends before the queue of so busy a service has its length."""
_FEW_FAIL = 0.25
"""Failed requests, over those that may be late, up to which a queue of the others is asked."""


def capacity_edge(loads: Sequence[Judged], bound: Bound, gaps: Gaps, seed: int) -> Edge | None:
    """The highest rate that keeps every term; None where the loads do not say.

    Of several terms it is the lowest rate, and each end of the interval the lowest of theirs.
    """
    usable = [load for load in loads if not load.probed.withheld and len(load.probed.due_s) > 1]
    if not usable:
        return None
    edges = [_percentile_edge(usable, term, gaps, seed) for term in bound.percentiles]
    found = [edge for edge in edges if edge is not None]
    if len(found) < len(edges):
        return None
    other = _other_edge(usable, none_is_percentile=not edges)
    found += [other] if other else []
    if not found:
        return None
    first = min(found, key=lambda edge: edge.rate_per_s)
    low, high = (min(getattr(edge.interval, end) for edge in found) for end in ("low", "high"))
    return Edge(first.rate_per_s, Interval(low, high), first.method, first.law)


def _percentile_edge(
    loads: Sequence[Judged], term: Percentile, gaps: Gaps, seed: int
) -> Edge | None:
    """The rate up to which one percentile keeps its limit."""
    settled = [load for load in loads if load.settled]
    counts = [_counted(load, term.limit_s) for load in settled]
    failed = _failed_share(loads)
    if failed <= _FEW_FAIL * term.late_share:
        late = (term.late_share - failed) / (1 - failed)
        times = LateShare(gaps, term.limit_s, seed)
        edge = queue_edge([_answered(load.probed) for load in loads], late, times)
        if edge is not None and not _contradicted(edge, counts) and not _beyond(edge, loads):
            return edge
    if not counts:
        return None
    return _below_overload(counted_edge(counts, term.late_share), loads)


def _beyond(edge: Edge, loads: Sequence[Judged]) -> bool:
    """Whether the whole interval is above a rate at which the backlog grew."""
    return any(
        load.rate_per_s < edge.interval.low for load in loads if load.verdict == "overloaded"
    )


def _below_overload(edge: Edge, loads: Sequence[Judged]) -> Edge:
    """The edge, and its interval, no higher than the lowest rate at which the backlog grew.

    Few requests are late until a service is all but overloaded: counting them alone, a rate may
    come out that is beyond what it can do. It is then between nine tenths of the highest load that
    kept the bound and the lowest that was overloaded.
    """
    over = [load.rate_per_s for load in loads if load.verdict == "overloaded"]
    top, ends = min(over, default=math.inf), edge.interval
    if top >= ends.high:
        return edge
    below = [load.rate_per_s for load in loads if load.verdict == "held" and load.rate_per_s < top]
    if not below:
        return replace(edge, rate_per_s=min(edge.rate_per_s, top), interval=_up_to(ends.low, top))
    kept = _SURE * max(below)
    rate = min(edge.rate_per_s, math.sqrt(kept * top))
    return replace(edge, rate_per_s=rate, interval=_up_to(min(kept, ends.low), top))


def _up_to(low: float, top: float) -> Interval:
    return Interval(min(low, top), top)


def _contradicted(edge: Edge, counts: Sequence[Counted]) -> bool:
    """Whether the late requests of the loads near the edge can't be those of its queue."""
    near = [load for load in counts if 0.5 < load.rate_per_s / max(edge.rate_per_s, 1e-9) < 2]
    shares = [edge.log_share(load.rate_per_s) for load in near]
    return bool(near) and contradicts(near, shares)


def _counted(load: Judged, limit_s: float) -> Counted:
    due, latency = load.probed.due_s[load.cut :], load.probed.latency_s[load.cut :]
    return counted(load.rate_per_s, due, latency, limit_s)


def _answered(probed: Probed) -> tuple[np.ndarray, np.ndarray]:
    """When the requests with a text were due, and when they were answered."""
    text = np.isfinite(probed.latency_s)
    return probed.due_s[text], probed.answered_s[text]


def _failed_share(loads: Sequence[Judged]) -> float:
    """Share of all requests that have no text."""
    failed = sum(int(np.isinf(load.probed.latency_s).sum()) for load in loads)
    return failed / max(sum(len(load.probed.latency_s) for load in loads), 1)


def _other_edge(loads: Sequence[Judged], none_is_percentile: bool) -> Edge | None:
    """Between the highest load that kept the other terms and the lowest that did not."""
    broken = [
        load.rate_per_s
        for load in loads
        if load.probed.broken or (none_is_percentile and load.verdict == "overloaded")
    ]
    if not broken:
        return None
    top = min(broken)
    kept = [load.rate_per_s for load in loads if load.rate_per_s < top]
    low = max(kept, default=0.0)
    return Edge(math.sqrt(low * top) if low else 0.0, Interval(low, top), "counts")
