"""What a recommendation goes by: aims rank points, limits admit them, figures say why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import ENERGY, LATENCY, MEMORY, RTFX, WER
from asr_scaling.analysis.format import (
    duration,
    latency_metric,
    memory_metric,
    percent,
    plain,
    size,
    why_no_wer,
    with_interval,
)
from asr_scaling.analysis.points import Point
from asr_scaling.core.statistics import samples_needed

_TRAILING = re.compile(r"\.0+(?=\D|$)|(?<=\.\d)0+(?=\D|$)|(?<=\.\d\d)0+(?=\D|$)")
"""Zeros that say nothing in a bound that someone chose."""
HELD, COST = "answer/held", "answer/cost"
"""Tags of a point whose loads were read: what it holds, and what that costs, in words."""
P95, TAIL = "p95", "latency/p95_s"
NEEDED = samples_needed(95)
"""Fewest calls that bound the 95th percentile."""


@dataclass(frozen=True)
class Aim:
    """What points are ranked by."""

    metric: Callable[[Point], str]
    """Which metric of a point it is about."""
    better: str
    """What a point of lower cost is said to be, as "faster"."""
    cost: Callable[[Point], float]
    """Lower is better; infinite where unknown."""
    as_good: str = "as fast"
    """What one of equal cost is said to be."""


@dataclass(frozen=True)
class Limit:
    """A bound that a point must keep."""

    name: str
    read: Callable[[Point], float | None]
    """The figure that is bounded."""
    bound: float
    show: Callable[[float], str]
    """Writes the bound."""
    say: Callable[[Point], str]
    """Writes a point's figure."""
    most: bool = True
    """Whether the figure must be at most the bound; else at least."""

    @property
    def asked(self) -> str:
        """ "at most 1 s"."""
        return f"at {'most' if self.most else 'least'} {_TRAILING.sub('', self.show(self.bound))}"

    def shortfall(self, point: Point) -> float:
        """Log of the factor by which a point misses the bound: 0 if met, infinite if unknown."""
        value = self.read(point)
        if value is None or value < 0:
            return math.inf
        if value <= self.bound if self.most else value >= self.bound:
            return 0.0
        return abs(math.log(value / self.bound)) if value else math.inf

    def miss(self, point: Point) -> str:
        """ "p95 1.53 s where at most 1 s is asked for"."""
        return f"{self.say(point)} where {self.asked} is asked for"


@dataclass(frozen=True)
class Rule:
    """How a scenario's winner is chosen."""

    scenario: str
    wanted: str
    """What is looked for, as the end of a sentence."""
    first: Aim
    """Ranks the points."""
    second: Aim | None
    """Decides where the first shows no difference."""
    limits: tuple[Limit, ...]
    shown: tuple[str, ...]
    """The figures that matter here, names of ``SHOWN``."""
    live: bool = False
    """Whether only one utterance a call counts."""
    served: bool = False
    """Whether it is about requests that arrive; how they become calls is then part of a system."""
    max_wer_loss: float | None = None
    """Share of words that it may cost against the plain system; None where that is not asked."""

    @property
    def sentence(self) -> str:
        """The whole rule."""
        asked = [f"{limit.name} {limit.asked}" for limit in self.limits]
        if not self.served:
            asked.append("batch 1 (a live request waits for nobody)" if self.live else "any batch")
        text = f"{', '.join(asked)}: {self.wanted}" if asked else self.wanted
        text = f"{text}{self._kept}."
        return text if self.live else text[0].upper() + text[1:]

    @property
    def _kept(self) -> str:
        """What may be lost for it."""
        if self.max_wer_loss is None:
            return ""
        return (
            f" of those whose WER is shown to be at most {100 * self.max_wer_loss:g} points "
            "above that of the most accurate model's plain system"
        )

    @property
    def tail(self) -> bool:
        """Whether it bounds the 95th percentile, which takes many calls to know."""
        return any(limit.name == P95 for limit in self.limits)

    def order(self, point: Point) -> tuple[float, float]:
        """What points are sorted by, best first."""
        return self.first.cost(point), self.second.cost(point) if self.second else 0.0

    def shortfall(self, point: Point) -> float:
        """The worst of the limits."""
        return max((limit.shortfall(point) for limit in self.limits), default=0.0)


def _cost(point: Point, metric: str, sign: float = 1.0) -> float:
    value = point.judged(metric)
    return math.inf if value is None else sign * value


LOWEST_WER = Aim(lambda _: WER, "more accurate", lambda p: _cost(p, p.error_rate))
HIGHEST_RTFX = Aim(lambda _: RTFX, "faster", lambda p: _cost(p, RTFX, -1.0))
LOWEST_ENERGY = Aim(lambda _: ENERGY, "more frugal", lambda p: _cost(p, ENERGY))
LOWEST_LATENCY = Aim(lambda _: LATENCY, "faster", lambda p: _cost(p, latency_metric(p)))
LEAST_MEMORY = Aim(memory_metric, "smaller", lambda p: _cost(p, memory_metric(p)))


def barred(point: Point) -> str:
    """Why a point is never recommended, as the end of a sentence; empty for one that may be."""
    if point.truncated:
        return "it transcribes only part of the audio"
    return "" if point.wer_known else f"its WER is unknown: {why_no_wer(point).rstrip('.')}"


def _tail_s(point: Point) -> float | None:
    """The 95th percentile of a call's time; where too few calls bound it, the slowest of them."""
    return point.values.get(TAIL, point.slowest_s)


def _memory_bytes(point: Point) -> float | None:
    """Peak memory, of the accelerator where there is one."""
    return point.value(memory_metric(point))


def _tail_words(point: Point) -> str:
    """ "p95 518 ± 49 ms", or "slowest of 8 calls 560 ms"."""
    value = _tail_s(point)
    if value is None:
        return "tail unknown"
    if TAIL not in point.values:
        return f"slowest of {point.calls} calls {duration(value)}"
    factor, unit = (1e3, "ms") if value < 1 else (1.0, "s")
    return f"p95 {with_interval(value, point.intervals.get(TAIL), factor)} {unit}"


def _wer_words(point: Point) -> str:
    """ "WER 4.9 ± 1.5 %" or the CER, labelled where speech is synthetic; or why it is unknown."""
    if not point.wer_known:
        return f"WER unknown ({why_no_wer(point)})"
    copies = f"{point.copies} of {point.utterances} utterances copies" if point.copies else ""
    said = ", ".join(filter(None, ("synthetic speech" if point.synthetic else "", copies)))
    label = f" ({said})" if said else ""
    value, interval = point.values[point.error_rate], point.intervals.get(point.error_rate)
    return f"{point.error_name} {with_interval(value, interval, 100)} %{label}"


def _energy_words(point: Point) -> str:
    """ "2.2 ± 0.1 J per second of audio, estimated"."""
    value = point.value(ENERGY)
    if value is None:
        return "energy unknown"
    if point.judged(ENERGY) is None:
        return "energy unknown (power was not measured)"
    joules = with_interval(value, point.intervals.get(ENERGY))
    return f"{joules} J per second of audio, {point.energy_method}"


def _memory_words(point: Point) -> str:
    """ "475 MB peak memory"."""
    value = _memory_bytes(point)
    if value is not None:
        return f"{size(value)} peak memory"
    why = point.unavailable.get(MEMORY, "")
    return f"memory unknown ({why.rstrip('.')})" if why else "memory unknown"


def _rtfx_words(point: Point) -> str:
    """ "RTFx 40.1 ± 0.3", which says so where it is at the machine's usual state."""
    found = point.stated(RTFX)
    if found is None:
        return "RTFx unknown"
    where = " at the usual state" if point.at_usual(RTFX) else ""
    return f"RTFx {with_interval(*found)}{where}"


SHOWN: dict[str, Callable[[Point], str]] = {
    "tail": _tail_words,
    "rtfx": _rtfx_words,
    "wer": _wer_words,
    "memory": _memory_words,
    "energy": _energy_words,
    "held": lambda point: point.tags.get(HELD, ""),
    "cost": lambda point: point.tags.get(COST, ""),
}


def figures(point: Point, shown: tuple[str, ...]) -> str:
    """The named figures of a point, in a line."""
    return "; ".join(filter(None, (SHOWN[name](point) for name in shown)))


def tail_limit(bound: float) -> Limit:
    """On the 95th percentile of a call."""
    return Limit(P95, _tail_s, bound, duration, _tail_words)


def rtfx_limit(bound: float) -> Limit:
    """On seconds of audio per second."""
    return Limit("RTFx", lambda point: point.judged(RTFX), bound, plain, _rtfx_words, most=False)


def memory_limit(bound: float) -> Limit:
    """On peak memory."""
    return Limit("peak memory", _memory_bytes, bound, size, _memory_words)


def energy_limit(bound: float) -> Limit:
    """On joules per second of audio."""

    def show(joules: float) -> str:
        return f"{plain(joules)} J per second of audio"

    return Limit("energy", lambda point: point.judged(ENERGY), bound, show, _energy_words)


def wer_limit(bound: float) -> Limit:
    """On WER, or CER in scripts without spaces.

    One that is unknown passes, for such a point is never recommended anyway.
    """

    def value(point: Point) -> float:
        return point.values.get(point.error_rate, 0.0)

    return Limit("WER", value, bound, percent, _wer_words)
