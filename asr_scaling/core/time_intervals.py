"""Intervals of times that one process measured: named for what they are, and widened where known.

Another process of the same command gives another time. What processes of this machine differ by
(core/spread.py) is added to the interval, where the self-test has measured it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from asr_scaling.core.judged import USUAL
from asr_scaling.core.levels import MINUTES, Level, of_processes
from asr_scaling.core.metric import Metric
from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.record import RunRecord
from asr_scaling.core.spread import ASSUMED, Spread, spread_of
from asr_scaling.core.statistics import Interval, mean_interval, student

INTERVAL_OF = "interval/of"
"""The tag that says what a record's intervals are of."""
OF_ONE_ALONE = "interval/of_one_process"
"""The tag that names metrics that one of a record's several processes alone has measured."""
ONE, WIDENED = "this process", "widened by"
_TIMES = ("latency/", "latency_per_utterance/", "stage/", "throughput/", USUAL)
_RATES = ("utilisation/mfu", "utilisation/membw")
"""Work over time."""
_JOULES = tuple(
    f"energy/{kind}per_{of}_j" for kind in ("", "net_") for of in ("sample", "audio_second")
)
_NOT_TIMES = ("latency/p50_precision", "latency/p99_over_p50", f"{USUAL}explained_share")
"""Ratios within a process."""


def follows_time(name: str) -> bool:
    """Whether the metric ``name`` is as uncertain between processes as the time of a call.

    The one list of these: for records of one process, of several, and for comparisons. Power is not
    among them, nor the length of a window of energy, which the counters' period sets.
    """
    if name.startswith(("decoder/", "module/")):
        return metric_spec(name).unit == "s"
    return name not in _NOT_TIMES and name.startswith((*_TIMES, *_RATES, *_JOULES))


def of_one_process(record: RunRecord) -> RunRecord:
    """The record of one process, with the tag ``interval/of``.

    Where the spread of its machine is known, intervals of what follows time are widened by it. A
    round of several is not: they are merged into a record that shows what processes differ by.
    """
    if not record.samples:
        return record
    spread, of = spread_of(record.environment), ONE
    metrics = record.metrics
    if record.round is None and spread != ASSUMED:
        metrics = tuple(widened(metric, spread) for metric in metrics)
        percent = f"{100 * spread.processes:.2g} %"
        of = f"{ONE}; {WIDENED} this machine's spread between processes of {percent}"
        of += f" ({spread.source})" if spread.source else ""
    return replace(record, metrics=metrics, tags={**record.tags, INTERVAL_OF: of})


def stages_within(record: RunRecord) -> dict[str, Interval]:
    """Metric of a stage → its interval over the calls alone, for a comparison of stages.

    What processes differ by lengthens all stages of a call alike, so that it says nothing of them.
    Empty where the record's own intervals are of the calls alone.
    """
    if record.tags.get(INTERVAL_OF, ONE) == ONE:
        return {}
    names = dict.fromkeys(name for call in record.samples for name in call.stages)
    found = {
        f"stage/{name}_s": mean_interval([call.stages.get(name, 0.0) for call in record.samples])
        for name in names
    }
    return {metric: interval for metric, interval in found.items() if interval is not None}


def widened(metric: Metric, spread: Spread) -> Metric:
    """The metric with an interval of what another process of this machine would give, too.

    The logarithm of its value has the error within this process and the spread between processes
    (core/levels.py). A metric without an interval, or that does not follow time, stays as it is.
    """
    if metric.interval is None or metric.value <= 0 or not follows_time(metric.name):
        return metric
    usual = metric.name.startswith(USUAL)
    level = of_processes([math.log(metric.value)], [log_error(metric)], spread, usual, MINUTES)
    return replace(metric, interval=around(metric, level))


def log_error(metric: Metric) -> float:
    """Standard error of the logarithm within its process; 0 where there is no interval.

    It is that of the value over the value. Where the interval's end is farther off than the value
    itself, as with a call a thousand times as long as others, it grows with the logarithm of that.
    """
    if metric.interval is None or not metric.n or metric.n < 2 or metric.value <= 0:
        return 0.0
    share = metric.interval.half(metric.value) / metric.value
    return (share if share < 1 else 1 + math.log(share)) / student(metric.n - 1)


def around(metric: Metric, level: Level) -> Interval:
    """An interval around the metric's value, as wide as the level's; it holds that of the metric.

    level: of logarithms.
    """
    half = level.interval().high - level.value
    low, high = metric.value * math.exp(-half), metric.value * math.exp(half)
    own = metric.interval or Interval(low, high)
    return Interval(min(low, own.low), max(high, own.high))
