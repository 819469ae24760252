"""The figures that systems are ranked by: times at the machine's usual state where these are known.

Joules of guessed power are none of them. Everything else counts as it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping

from asr_scaling.core.energy_methods import of_energy, power_known
from asr_scaling.core.statistics import Interval

USUAL = "usual/"
"""Begins the name of a metric at the machine's usual state; the rest is the metric's own name."""
Stated = tuple[float, Interval | None]
"""A value and its interval of 95 %."""
_FOLLOWS = {
    "latency_per_utterance/mean_s": "latency/mean_s",
    "latency_per_utterance/p50_s": "latency/p50_s",
    "throughput/samples_per_s": "throughput/rtfx",
}
"""Metric → the one whose change by the usual state it shares.

Both are sums or means over the same calls, divided by what the state doesn't change: the number of
utterances, or of audio seconds. Of a time per utterance that is exact where batches are equal.
"""


def usual(
    name: str, values: Mapping[str, float], intervals: Mapping[str, Interval]
) -> Stated | None:
    """A metric at the machine's usual state; None where the record has no such figure."""
    base = _FOLLOWS.get(name, name)
    value, raw = values.get(USUAL + base), values.get(base)
    if value is None or not raw or name not in values:
        return None
    factor, interval = values[name] / raw, intervals.get(USUAL + base)
    if interval is not None:
        interval = Interval(interval.low * factor, interval.high * factor)
    return value * factor, interval


def stated(
    name: str, values: Mapping[str, float], intervals: Mapping[str, Interval]
) -> Stated | None:
    """A metric at the usual state where that is known, else as it was; None without one."""
    found = usual(name, values, intervals)
    if found is None and name in values:
        return values[name], intervals.get(name)
    return found


def judged(tags: Mapping[str, str], values: Mapping[str, float]) -> dict[str, float]:
    """The metrics that systems may be ranked by, each with the value that counts."""
    known = power_known(tags)
    return {
        name: found[0]
        for name in values
        if (known or not of_energy(name)) and (found := stated(name, values, {}))
    }


def differs(
    name: str, values: Mapping[str, float], intervals: Mapping[str, Interval]
) -> tuple[Stated, Stated] | None:
    """A metric as it was and at the usual state, where neither interval holds the other's value.

    None where they agree, or where one of the two is missing or has no interval.
    """
    at_usual = usual(name, values, intervals)
    if at_usual is None:
        return None
    (value, own), (other, its) = (values[name], intervals.get(name)), at_usual
    if own is None or its is None or own.low <= other <= own.high or its.low <= value <= its.high:
        return None
    return (value, own), at_usual
