"""The metrics ``usual/*``: what calls take at the machine's usual state."""

from __future__ import annotations

import math
from dataclasses import replace

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.judged import USUAL
from asr_scaling.core.learned_state import coefficients_of
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.core.usual_state import Adjusted, at_usual, reference_of

NAMES = ("latency/p50_s", "latency/mean_s", "throughput/rtfx")
EXPLAINED = f"{USUAL}explained_share"
LEARNED_FROM = f"{USUAL}learned_from"
"""Tag of a record with ``usual/*``: what its coefficients were learned from."""
_Z = 1.96
"""Standard errors on each side of an interval of 95 %."""


def adjusted(record: RunRecord) -> Adjusted:
    """The timed calls of a record at the usual state of its machine."""
    facts = record.environment
    return at_usual(record.samples, record.beats, reference_of(facts), coefficients_of(facts))


def with_usual(record: RunRecord, calls: Adjusted | None = None) -> RunRecord:
    """The record with ``usual/*`` of its calls, in place of those that it had.

    calls: ``adjusted`` of the record, where that is known.

    A record whose calls have no figures is returned as it is.
    """
    if not record.samples or "latency/mean_s" not in record.values:
        return record
    calls = calls or adjusted(record)
    found = figures_of(calls)
    tags = {name: value for name, value in record.tags.items() if name != LEARNED_FROM}
    if calls.made:
        earlier = f"{calls.learned} processes measured earlier"
        tags[LEARNED_FROM] = earlier if calls.learned else "its own calls"
    metrics = (metric for metric in record.metrics if not metric.name.startswith(USUAL))
    others = {n: why for n, why in record.unavailable.items() if not n.startswith(USUAL)}
    return replace(
        record,
        metrics=(*metrics, *found.metrics),
        unavailable={**others, **found.unavailable},
        tags=tags,
    )


def figures_of(calls: Adjusted) -> Findings:
    """``usual/*`` of calls that were calls."""
    metrics = list[Metric]()
    unavailable = {EXPLAINED: calls.why}
    if calls.explained is not None:
        metrics.append(Metric(EXPLAINED, calls.explained, calls.learned or len(calls.samples)))
        unavailable = {}
    if not calls.made:
        return Findings(
            tuple(metrics), {**unavailable, **{USUAL + name: calls.why for name in NAMES}}
        )
    summary = summarise(calls.samples)
    for metric in summary.metrics:
        if metric.name in NAMES:
            interval = wider(metric.value, metric.interval, calls.shift_error)
            metrics.append(replace(metric, name=USUAL + metric.name, interval=interval))
    missing = {USUAL + n: why for n, why in summary.unavailable.items() if n in NAMES}
    return Findings(tuple(metrics), missing)


def wider(value: float, interval: Interval | None, shift_error: float) -> Interval | None:
    """The interval with the coefficients' error in it: squares of errors of the log add up."""
    if interval is None or interval.low <= 0:
        return interval
    low, high = (
        math.exp(math.hypot(math.log(end / value), _Z * shift_error))
        for end in (interval.low, interval.high)
    )
    return Interval(value / low, value * high)
