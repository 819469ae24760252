"""How one metric differs between two systems, with one of three answers.

"differs": the interval of 95 % excludes 0. "same": it lies within a bound that means something
(``SAME``, for shares of errors ``SAME_POINTS``), so that no larger difference is there. "can't
tell": neither, and then the verdict says what would decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from asr_scaling.core.statistics import Interval
from asr_scaling.core.word_loss import WordLoss

LATENCY = "latency/p50_s"
RTFX = "throughput/rtfx"
ENERGY = "energy/per_audio_second_j"
WER = "quality/wer"
MEMORY = "memory/peak_rss_bytes"
CANT_TELL: Final = "can't tell"
SAME = 0.05
"""Systems are called the same where the whole interval is within this share of no change."""
SAME_POINTS = 0.01
"""The same for a WER: one point."""
_TIMES = ("latency", "latency_per_utterance", "stage", "startup")
_POINTS = "quality"
"""Group of metrics whose changes are differences, not shares of A's value."""
Answer = Literal["differs", "same", "can't tell", ""]
"""Empty where nothing is judged."""
_NONE = "no difference"
"""Where the interval is 0 wide, as of the WER of equal texts."""
Advice = Callable[[float], str]
"""What would bring half the interval below so much: a logarithm, or a difference of shares."""


@dataclass(frozen=True)
class MetricChange:
    """How one metric differs between two systems."""

    metric: str
    a: float | None = None
    """The value of A's record, as it was measured."""
    b: float | None = None
    """The value of B's record, as it was measured."""
    relative: float | None = None
    """Change of B against A as a share."""
    absolute: float | None = None
    """The change in the metric's unit; where it is paired, ``relative`` of A's value."""
    interval: Interval | None = None
    """Of the relative change; for WER of the absolute one."""
    verdict: str = ""
    """The answer in words; empty for single readings, which nothing can judge."""
    reason: str = ""
    """Why there is no change."""
    qualifier: str = ""
    """What must stand with the figures."""
    answer: Answer = ""
    advice: Advice | None = field(default=None, compare=False, repr=False)
    """What would narrow the interval; None where nothing is known of that."""
    words: WordLoss | None = field(default=None, repr=False)
    """What a change of WER rests on, and what it shows of a bound; None for other metrics."""

    @property
    def value(self) -> float | None:
        """The change that ``interval`` is of."""
        return self.absolute if in_points(self.metric) else self.relative


def group(metric: str) -> str:
    """What stands before the first stroke of a metric's name."""
    return metric.partition("/")[0]


def in_points(metric: str) -> bool:
    """Whether changes of a metric are differences of shares, not shares of A's value."""
    return group(metric) == _POINTS


def answered(
    metric: str, value: float, interval: Interval | None, because: str, advice: Advice | None
) -> tuple[Answer, str]:
    """The answer for a change and the verdict in words.

    value, interval: of the relative change, or of the difference of shares (``in_points``).
    because: why it can't be told where it can't.
    """
    if interval is None:
        return CANT_TELL, f"{CANT_TELL}: {because}"
    if interval.low > 0 or interval.high < 0:
        return "differs", _word(metric, more=interval.low > 0)
    bound = max(-interval.low, interval.high)
    if bound <= (SAME_POINTS if in_points(metric) else SAME):
        unit = "points" if in_points(metric) else "%"
        return (
            "same",
            f"no difference beyond ± {rounded_up(100 * bound)} {unit}" if bound else _NONE,
        )
    more = "" if advice is None else f"; {advice(_reach(metric, value))}"
    return CANT_TELL, f"{CANT_TELL}: {because}{more}"


def _reach(metric: str, value: float) -> float:
    """Half an interval so wide decides, if the change stays ``value``: it differs or is the same.

    A logarithm, or a difference of shares.
    """
    size = abs(value) if in_points(metric) else abs(math.log1p(value))
    return max(size, (SAME_POINTS if in_points(metric) else math.log1p(SAME)) - size)


def _word(metric: str, more: bool) -> str:
    if group(metric) in _TIMES:
        return "slower" if more else "faster"
    if group(metric) == "throughput":
        return "faster" if more else "slower"
    if metric in (WER, "quality/cer"):
        return "worse" if more else "better"
    return "more" if more else "less"


def rounded(share: float) -> str:
    """A share with two digits in per cent: "4 %", "3.1 %", "12 %"."""
    return f"{100 * share:.2g} %"


def rounded_up(number: float) -> str:
    """``number`` rounded up to two digits: 2.34 is "2.4"."""
    places = 1 - math.floor(math.log10(number))
    return f"{math.ceil(number * 10**places - 1e-9) / 10**places:.{max(0, places)}f}"
