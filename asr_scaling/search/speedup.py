"""How much faster one way to run a model is than another on the same speech, at what WER."""

from __future__ import annotations

from dataclasses import dataclass, replace

from asr_scaling.analysis.comparison.advice import machine_of
from asr_scaling.analysis.comparison.unpaired import unpaired_change
from asr_scaling.analysis.comparison.verdict import CANT_TELL, RTFX, WER, MetricChange, compare
from asr_scaling.core.judged import stated
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.core.word_loss import WordLoss
from asr_scaling.errors import ConfigError

_ASK = "optimiser.processes={}"
"""How a search's final is asked for more processes."""


@dataclass(frozen=True)
class Gain:
    """B against A."""

    factor: float
    """Of speed: 2.0 is twice as fast."""
    interval: Interval | None
    """Of the factor, between processes; None where the calls were too few."""
    why: str = ""
    """Why it can't be told which is faster; empty where it can."""
    loss: WordLoss | None = None
    """Of WER; None where one of the two has none on the same speech."""

    @property
    def faster(self) -> bool:
        """Significantly: the interval, which holds what processes differ by, is above 1."""
        return self.interval is not None and self.interval.low > 1

    @property
    def slower(self) -> bool:
        """Significantly."""
        return self.interval is not None and self.interval.high < 1


def gain(a: RunRecord, b: RunRecord) -> Gain:
    """B against A: paired by speech where both timed the same, else from their RTFx alone.

    RTFx is then that at the machine's usual state, of a record that has one (core/judged.py).

    Both must be "ok" and of one kind of machine; they may be of two hosts.
    """
    try:
        comparison = compare(a, b, allow=("host",), ask=_ASK)
    except ConfigError:
        machine = machine_of(a, b, ask=_ASK)
        return _of_speed(unpaired_change(_as_judged(a), _as_judged(b), RTFX, machine))
    return replace(_of_speed(comparison.row(RTFX)), loss=comparison.row(WER).words)


def _as_judged(record: RunRecord) -> RunRecord:
    """The record with the RTFx that counts, whose interval goes with it."""
    found = stated(RTFX, record.values, record.intervals)
    if found is None:
        return record
    value, interval = found
    metrics = (
        replace(metric, value=value, interval=interval) if metric.name == RTFX else metric
        for metric in record.metrics
    )
    return replace(record, metrics=tuple(metrics))


def _of_speed(speed: MetricChange) -> Gain:
    interval = speed.interval and Interval(1 + speed.interval.low, 1 + speed.interval.high)
    unsure = speed.answer == CANT_TELL
    why = speed.verdict.removeprefix(CANT_TELL).lstrip(": ") if unsure else ""
    return Gain(1 + (speed.relative or 0.0), interval, why)
