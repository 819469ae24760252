"""Intervals of figures that several fresh processes measured: of calls, and of processes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from asr_scaling.core.call_summary import rtfx_without, summarise
from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.judged import USUAL
from asr_scaling.core.levels import MINUTES, Level, of_processes
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.spread import Spread, spread_of
from asr_scaling.core.statistics import mean_interval
from asr_scaling.core.time_intervals import around, follows_time, log_error, widened
from asr_scaling.core.usual_figures import NAMES, adjusted, wider, with_usual

OfEach = Sequence[Mapping[str, Metric]]
"""The figures of each process."""
OF_STARTING = "startup/"
"""Begins the names of figures that each process has one value of."""
_MEDIAN, _PRECISION = "latency/p50_s", "latency/p50_precision"
_STEADY, _FEWEST = 0.05, 3
"""Processes that differ by more, as a standard deviation of so many at least, get a caution: where
the self-test warns of them too."""


def of_both_levels(metrics: Mapping[str, Metric], own: OfEach, spread: Spread) -> dict[str, Metric]:
    """The merged ``metrics`` of several rounds: what follows time with intervals of both levels.

    own: the figures of each round.

    Values stay. What is known of the machine's spread between processes counts for all but what
    starting takes. The interval of a figure that one process alone has is widened by it.
    """
    found = dict(metrics)
    for name, metric in metrics.items():
        starting = name.startswith(OF_STARTING)
        if starting or follows_time(name):
            each = [figures[name] for figures in own if name in figures]
            several = len(each) > 1
            prior = None if starting else spread
            found[name] = of_all(metric, each, prior) if several else widened(metric, spread)
    median = found.get(_MEDIAN)
    if median and median.interval and _PRECISION in found:
        share = median.interval.half(median.value) / median.value
        found[_PRECISION] = replace(found[_PRECISION], value=share)
    return found


def with_usual_of_both_levels(record: RunRecord) -> RunRecord:
    """The merged record with ``usual/*`` of all its calls, with intervals of both levels."""
    calls = adjusted(record)
    if not calls.made:
        return with_usual(record, calls)
    record = with_usual(record, replace(calls, shift_error=0.0))  # added below, once
    own = []
    for process in sorted({sample.process for sample in calls.samples}):
        mine = tuple(sample for sample in calls.samples if sample.process == process)
        own.append({m.name: m for m in summarise(mine, every=True).metrics})
    spread = spread_of(record.environment)
    metrics = {metric.name: metric for metric in record.metrics}
    for name in NAMES:
        if (metric := metrics.get(USUAL + name)) is not None:
            each = [figures[name] for figures in own if name in figures]
            both = of_all(metric, each, spread, usual=True)
            interval = wider(metric.value, both.interval, calls.shift_error)
            metrics[metric.name] = replace(both, interval=interval)
    return replace(record, metrics=tuple(metrics.values()))


def of_all(
    metric: Metric, own: Sequence[Metric], prior: Spread | None, usual: bool = False
) -> Metric:
    """A figure of all calls together, with an interval of the figures that the processes have.

    own: the figure in each process, with its interval within that process where it has one.
    usual: whether these are figures at the machine's usual state.

    The interval is around the figure of all calls, as wide as that of the mean of the logarithms
    (core/levels.py), and holds the interval that takes all calls for calls of one process: chance
    may make a few processes agree better than their own calls do.
    """
    if len(own) < 2 or min(metric.value, *(each.value for each in own)) <= 0:
        return metric
    return replace(metric, interval=around(metric, _level(own, prior, usual)))


def level_of(rounds: Sequence[RunRecord], name: str) -> Level | None:
    """The level of a figure of time of these rounds; None where not every one has it."""
    own = [figures[name] for figures in figures_of_each(rounds) if name in figures]
    if len(own) < len(rounds) or min(each.value for each in own) <= 0:
        return None
    return _level(own, spread_of(rounds[0].environment))


def of_one_alone(rounds: Sequence[RunRecord], own: OfEach) -> list[str]:
    """Figures with an interval that follow time and that one of several processes alone has.

    own: the figures of each round.
    """
    return [
        name
        for record in rounds
        for name in record.intervals
        if follows_time(name)
        and not name.startswith(USUAL)  # made of the calls of all
        and sum(name in figures for figures in own) == 1
    ]


def unsteady(rounds: Sequence[RunRecord]) -> list[Caution]:
    """A caution where the processes of these rounds differ by much."""
    medians = [record.values[_MEDIAN] for record in rounds if record.values.get(_MEDIAN, 0) > 0]
    if len(medians) < _FEWEST:
        return []
    sd = statistics.stdev(map(math.log, medians))
    return [caution("ProcessesDiffer", processes=len(medians), sd=sd)] if sd > _STEADY else []


def scope(rounds: Sequence[RunRecord]) -> str:
    """What intervals of these rounds are of, as the tag "interval/of" says it."""
    spread = spread_of(rounds[0].environment)
    known = f"{100 * spread.processes:.2g} % ({spread.source})"
    return f"{len(rounds)} processes; with this machine's spread between processes of {known}"


def figures_of_each(rounds: Sequence[RunRecord]) -> OfEach:
    """The figures of each process; the first one alone may have looked at texts."""
    texts = (row for record in rounds for row in record.transcripts)
    looping = {row["id"] for row in texts if row.get("looping")}
    return [_of_process(record, looping) for record in rounds]


def _of_process(record: RunRecord, looping: Collection[str]) -> dict[str, Metric]:
    """The figures of one process. Those that calls or windows show have their intervals."""
    figures = {metric.name: replace(metric, interval=None) for metric in record.metrics}
    for name, values in record.repeats.items():
        if values:
            mean, interval = statistics.fmean(values), mean_interval(values)
            figures[name] = Metric(name, mean, len(values), interval)
    calls = summarise(record.samples, every=True).metrics if record.samples else ()
    without = rtfx_without(record.samples, looping)
    if isinstance(without, Metric):
        calls = (*calls, without)
    return figures | {metric.name: metric for metric in calls}


def _level(own: Sequence[Metric], prior: Spread | None, usual: bool = False) -> Level:
    logs = [math.log(each.value) for each in own]
    return of_processes(logs, [log_error(each) for each in own], prior, usual, MINUTES)
