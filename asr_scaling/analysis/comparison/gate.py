"""Regression gates: ``latency/p50_s>5%`` fails where more than that is shown.

Passed needs a proof too: an interval with the limit within it is neither.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from asr_scaling.analysis.comparison.change import CANT_TELL, MetricChange, in_points
from asr_scaling.analysis.comparison.verdict import Comparison
from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import ConfigError

_FORM = re.compile(
    r"([a-z][\w/]*)\s*([<>])\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%?)", re.IGNORECASE
)


@dataclass(frozen=True)
class GateResult:
    """What a gate says of a comparison."""

    failed: bool | None
    """None when it can't be told."""
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the answer in a word beside them."""
        answer = CANT_TELL if self.failed is None else "failed" if self.failed else "passed"
        return {"failed": self.failed, "answer": answer, "sentence": self.sentence}


@dataclass(frozen=True)
class Gate:
    """A limit on the change of one metric."""

    text: str
    """As it was given."""
    metric: str
    above: bool
    """Whether it fails above the limit; else below it."""
    limit: float
    """A share where ``relative``, else in the metric's unit."""
    relative: bool

    @classmethod
    def parse(cls, text: str) -> Gate:
        """From ``METRIC>NUMBER`` or ``METRIC<NUMBER``, with % for a relative change.

        Raises ConfigError for anything else.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ConfigError(
                f"--fail-if '{text}' can't be read: write METRIC>NUMBER or METRIC<NUMBER, with % "
                "for a relative change, as in 'latency/p50_s>5%'."
            )
        metric, sign, number, percent = match.groups()
        try:
            metric_spec(metric)
        except ConfigError:
            raise ConfigError(
                f"--fail-if '{text}' names no metric: take one of a record's, as in "
                "'latency/p50_s>5%'."
            ) from None
        limit = float(number) / (100 if percent else 1)
        return cls(text, metric, sign == ">", limit, bool(percent))

    def judge(self, comparison: Comparison) -> GateResult:
        """Failed when the whole interval is beyond the limit, passed when none of it is.

        Can't tell in between. A metric without an interval, as memory, is judged by its value.
        What can't be judged does not pass.
        """
        row = comparison.row(self.metric)
        change = row.relative if self.relative else row.absolute
        where = f"gate '{self.text}' on '{comparison.b.name}'"
        if change is None or (row.interval is None and row.verdict.startswith(CANT_TELL)):
            why = row.reason or row.verdict or f"A's value is {row.a}"
            sentence = f"{where} can't be judged ({why}): measure it longer, or leave the gate out."
            return GateResult(None, sentence)
        factor = self._factor(row)
        of_value = row.interval or Interval(change / factor, change / factor)
        low, high = of_value.low * factor, of_value.high * factor
        shown = self._shown(change)
        if low < high:
            shown += f" (95 % interval {self._shown(low)} … {self._shown(high)})"
        if self._beyond(low) == self._beyond(high):
            failed = self._beyond(change)
            return GateResult(failed, f"{where} {'FAILED' if failed else 'passed'}: {shown}.")
        decides = f"; {row.advice(self._reach(row, factor))}" if row.advice else ""
        sentence = f"{where} can't tell: {shown} has the limit within it{decides}."
        return GateResult(None, sentence)

    def _beyond(self, change: float) -> bool:
        return change > self.limit if self.above else change < self.limit

    def _factor(self, row: MetricChange) -> float:
        """What the row's own change, and its interval, is to be multiplied by for this limit."""
        if self.relative != in_points(self.metric):
            return 1.0
        return 1 / (row.a or 1.0) if self.relative else row.a or 1.0

    def _reach(self, row: MetricChange, factor: float) -> float:
        """How far the change is from the limit: a logarithm, or a difference of shares."""
        value, limit = row.value or 0.0, self.limit / factor
        if in_points(self.metric):
            return abs(value - limit)
        return abs(math.log1p(value) - math.log1p(limit)) if limit > -1 else math.inf

    def _shown(self, change: float) -> str:
        if self.relative:
            return f"{change:+.2%}"
        unit = metric_spec(self.metric).unit
        return f"{change:+.4g}" if unit == "1" else f"{change:+.4g} {unit}"
