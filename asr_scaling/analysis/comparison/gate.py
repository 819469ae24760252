"""Regression gates: ``latency/p50_s>5%`` fails where that much more, beyond noise, is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import CANT_TELL, NO_DIFFERENCE, Comparison
from asr_scaling.core.metrics import metric_spec
from asr_scaling.errors import ConfigError

_FORM = re.compile(
    r"([a-z][\w/]*)\s*([<>])\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%?)", re.IGNORECASE
)


@dataclass(frozen=True)
class GateResult:
    """What a gate says of a comparison."""

    failed: bool | None
    """None when nothing could be judged."""
    sentence: str


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
        """Fails when the change is beyond the limit and not noise.

        What can't be judged does not pass.
        """
        row = comparison.row(self.metric)
        change = row.relative if self.relative else row.absolute
        where = f"gate '{self.text}' on '{comparison.b.name}'"
        cant_tell = row.verdict.startswith(CANT_TELL)
        if cant_tell or change is None:
            why = row.reason or (row.verdict if cant_tell else f"A's value is {row.a}")
            sentence = f"{where} can't be judged ({why}): measure it longer, or leave the gate out."
            return GateResult(None, sentence)
        unit = metric_spec(self.metric).unit
        absolute = f"{change:+.4g}" if unit == "1" else f"{change:+.4g} {unit}"
        shown = f"{change:+.2%}" if self.relative else absolute
        beyond = change > self.limit if self.above else change < self.limit
        if beyond and row.verdict == NO_DIFFERENCE:
            return GateResult(False, f"{where} passed: {shown} is {NO_DIFFERENCE}.")
        return GateResult(beyond, f"{where} {'FAILED' if beyond else 'passed'}: {shown}.")
