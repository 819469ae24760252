"""Laws of cost over length and batch, fitted to the points of a report; no text and no drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.fits import Fit, NoFit, linear_fit
from asr_scaling.analysis.format import MEAN_LATENCY
from asr_scaling.analysis.points import Point, length_order, windows
from asr_scaling.core.statistics import Interval
from asr_scaling.util.groups import grouped

ONE_LENGTH = "one length was measured: a law needs two, a check of it three"
ONE_BATCH = "one batch size was measured: a law needs two, a check of it three"


@dataclass(frozen=True)
class Quantity:
    """What a law is about."""

    name: str
    noun: str
    unit: str
    metric: str
    """Per utterance, in ``unit``."""


TIME = Quantity("time", "time", "s", "latency_per_utterance/mean_s")
JOULES = Quantity("energy", "energy", "J", "energy/per_sample_j")


@dataclass(frozen=True)
class LengthLaw:
    """Cost of an utterance of d seconds: a · windows + b · d; a + b · d without windows."""

    quantity: Quantity
    system: str
    device: str
    batch: int
    window_s: float | None
    points: tuple[Point, ...]
    """By length; each has the quantity."""
    fit: Fit | NoFit
    """Coefficients a, b."""

    def row(self, audio_s: float) -> tuple[float, float]:
        """What a and b are multiplied with."""
        return float(windows(audio_s, self.window_s)), audio_s


@dataclass(frozen=True)
class BatchLaw:
    """Time of a call on B utterances: c + m · B."""

    system: str
    device: str
    length: str
    length_s: float | None
    points: tuple[Point, ...]
    """By batch."""
    fit: Fit | NoFit
    """Coefficients c, m in seconds."""

    @property
    def single(self) -> Point | None:
        """The point of batch 1."""
        return next((point for point in self.points if point.batch == 1), None)

    @property
    def limit(self) -> tuple[float, Interval | None] | None:
        """The speed-up of an ever larger batch, (c + m) / m, at least 1, with its interval.

        None without a law, or where m is not above 0.
        """
        if isinstance(self.fit, NoFit) or self.fit.coefficients[1] <= 0:
            return None
        c, m = self.fit.coefficients
        ratio = self.fit.quotient(0, 1)
        ends = ratio and Interval(1 + max(0.0, ratio.low), 1 + max(0.0, ratio.high))
        return 1 + max(0.0, c / m), ends


def length_laws(points: Sequence[Point], quantity: Quantity) -> list[LengthLaw]:
    """One for each system, device and batch, smallest model first.

    Natural utterances, whose lengths vary, points that left audio out, and points without the
    quantity are left out.
    """
    whole = [p for p in points if p.ok and p.length_s is not None and not p.truncated]
    usable = by_size(p for p in whole if p.audio_s > 0 and p.judged(quantity.metric))
    groups = grouped(usable, lambda p: (p.system, p.device, p.batch))
    laws = []
    for (system, device, batch), members in groups.items():
        ordered = sorted(members, key=lambda p: p.audio_s)
        window_s = ordered[0].window_s
        costs = [p.judged(quantity.metric) or 0.0 for p in ordered]
        fit = _length_fit(ordered, costs, window_s)
        laws.append(LengthLaw(quantity, system, device, batch, window_s, tuple(ordered), fit))
    return laws


def _length_fit(
    points: Sequence[Point], costs: Sequence[float], window_s: float | None
) -> Fit | NoFit:
    lengths = [p.audio_s for p in points]
    groups = [p.length for p in points]
    if len(set(groups)) < 2:
        return NoFit(ONE_LENGTH)
    fit = linear_fit([[float(windows(d, window_s)) for d in lengths], lengths], costs, groups)
    if isinstance(fit, NoFit) and window_s:
        return NoFit(
            f"these lengths don't tell the cost of a window of {window_s:g} s from that of its "
            "seconds"
        )
    return fit


def batch_laws(points: Sequence[Point]) -> list[BatchLaw]:
    """One for each system, device and length, smallest model first."""
    usable = by_size(p for p in points if p.ok and p.batch > 0 and p.judged(MEAN_LATENCY))
    groups = grouped(usable, lambda p: (p.system, p.device, p.length_s))
    laws = []
    for (system, device, length_s), members in groups.items():
        ordered = sorted(members, key=lambda p: p.batch)
        fit = fit_over_batch([(p.batch, p.judged(MEAN_LATENCY) or 0.0) for p in ordered])
        laws.append(BatchLaw(system, device, ordered[0].length, length_s, tuple(ordered), fit))
    return laws


def fit_over_batch(costs: Sequence[tuple[int, float]]) -> Fit | NoFit:
    """Base and slope of a line through batch sizes and their costs above 0, in any unit."""
    sizes = [batch for batch, _ in costs]
    if len(set(sizes)) < 2:
        return NoFit(ONE_BATCH)
    return linear_fit([[1.0] * len(sizes), sizes], [cost for _, cost in costs], sizes)


def by_size(points: Iterable[Point]) -> list[Point]:
    """Smallest model first, then by name, device, length (natural last) and batch."""
    return sorted(
        points,
        key=lambda p: (p.parameters or 0, p.system, p.device, length_order(p.length_s), p.batch),
    )
