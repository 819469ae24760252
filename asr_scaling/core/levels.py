"""How sure a figure is between processes: intervals and differences of means of logarithms.

A figure of a process is one draw: another process of the same command gives another one. All
values here are logarithms of times or speeds, and all standard deviations and errors are of
logarithms: 0.03 is about 3 %.

The variance between processes is *moderated*: what few processes show of it is averaged with the
machine's known spread, each weighted by its degrees of freedom (Smyth 2004, Statistical
Applications in Genetics and Molecular Biology 3(1), equation 5). The known spread is dropped where
an F test says that this system differs more between processes than the machine's spread allows:
docs/decisions.md says why, and by how much. Variances add up with the degrees of freedom of
Satterthwaite 1946, Biometrics Bulletin 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.spread import Spread
from asr_scaling.core.statistics import CONFIDENCE, Interval

CONTRADICTED = 0.1
"""The known spread is dropped where processes differ by more than one such share would."""
HOURS_FREEDOM = 2.0
"""Degrees of freedom of a spread between hours: it is known from at least three times."""
MOST_PROCESSES = 100
"""More than so many processes a side are not advised."""
_MACHINE, _HOURS = "machine", "hours"


@dataclass(frozen=True)
class Part:
    """A part of the variance of a level.

    variance: of the level's value.
    freedom: degrees of freedom that it rests on; infinite where it is known.
    source: parts of one source rest on one estimate; empty where it is this part's alone.
    """

    variance: float
    freedom: float
    source: str = ""


@dataclass(frozen=True)
class Side:
    """What the processes of one system showed.

    processes: how many.
    variance: sample variance of their figures, what differs within them included; 0 of one.
    within: mean squared standard error of a figure within its process.
    known: the machine's variance between processes; None where none is known.
    known_freedom: degrees of freedom of ``known``.
    """

    processes: int
    variance: float
    within: float
    known: float | None = None
    known_freedom: float = 0.0

    @property
    def freedom(self) -> int:
        """Degrees of freedom of ``variance``."""
        return self.processes - 1


@dataclass(frozen=True)
class Level:
    """A mean of logarithms, or the difference of two, and how sure it is.

    value: the mean, or the difference.
    error: its standard error.
    freedom: degrees of freedom that ``error`` rests on.
    sides: what the processes showed that it is the mean of: one, or two of a difference.
    others: parts of its variance that more processes don't lessen: hours, speech.
    """

    value: float
    error: float
    freedom: float
    sides: tuple[Side, ...] = ()
    others: tuple[Part, ...] = ()

    def interval(self) -> Interval:
        """Student's t-interval of 95 % of the value."""
        half = student(self.freedom) * self.error
        return Interval(self.value - half, self.value + half)

    def with_part(self, variance: float, freedom: float, source: str = "") -> Level:
        """The same value, less sure by a variance that more processes don't lessen."""
        return _level(self.value, self.sides, (*self.others, Part(variance, freedom, source)))


def of_processes(
    logs: Sequence[float],
    errors: Sequence[float],
    prior: Spread | None,
    usual: bool = False,
    hours: bool = False,
) -> Level:
    """The mean over processes of the logarithm of a figure.

    logs: one value a process, at least one.
    errors: standard error of each within its process; as many.
    prior: what is known of the machine's spread; None where nothing is.
    usual: whether these are figures at the machine's usual state, whose spread is a smaller one.
    hours: whether the level is stated, or compared, across hours, while its processes ran in one.

    One process without ``prior``: the level is of this process, its error that within it.
    """
    n, value = len(logs), math.fsum(logs) / len(logs)
    variance = math.fsum((x - value) ** 2 for x in logs) / (n - 1) if n > 1 else 0.0
    within = math.fsum(error * error for error in errors) / n
    if prior is None:
        return _level(value, (Side(n, variance, within),), ())
    known = prior.usual if usual and prior.usual is not None else prior.processes
    side = Side(n, variance, within, known**2, prior.freedom)
    between_hours = prior.hours if hours else None
    others = () if between_hours is None else (Part(between_hours**2, HOURS_FREEDOM, _HOURS),)
    return _level(value, (side,), others)


def difference(a: Level, b: Level) -> Level:
    """``b`` less ``a``, two independent levels; what both know of the machine counts once.

    A level made by hand, without sides, is taken as it is: its error is no part that more
    processes lessen.
    """
    others = [
        part
        for level in (a, b)
        for part in (level.others if level.sides else (Part(level.error**2, level.freedom),))
    ]
    return _level(b.value - a.value, (*a.sides, *b.sides), tuple(others))


def processes_needed(level: Level, reach: float | None = None) -> int | None:
    """How many processes, on each side, would bring the interval's half width below ``reach``.

    level: one of ``of_processes`` or a ``difference`` of two such: its variances are taken as they
        are known so far, with the degrees of freedom that so many processes would have.
    reach: a logarithm; without it the size of the value, which decides whether it differs from 0.

    None where more than ``MOST_PROCESSES`` would be needed, or no number suffices.
    """
    target = abs(level.value) if reach is None else reach
    for n in range(1, MOST_PROCESSES + 1):
        if _half_width(level, n) < target:
            return n
    return None


def student(freedom: float) -> float:
    """Quantile of Student's t at the upper end of an interval of 95 %."""
    from scipy.special import ndtri, stdtrit

    upper = 1 - (1 - CONFIDENCE) / 2
    return float(ndtri(upper) if math.isinf(freedom) else stdtrit(freedom, upper))


def combined(parts: Sequence[Part]) -> tuple[float, float]:
    """Sum of the variances and its degrees of freedom; parts of one source vary together."""
    shared: dict[str, tuple[float, float]] = {}
    squares = 0.0
    for part in parts:
        if part.source:
            before = shared.get(part.source, (0.0, part.freedom))
            shared[part.source] = before[0] + part.variance, min(before[1], part.freedom)
        else:
            squares += part.variance**2 / part.freedom
    squares += math.fsum(variance**2 / freedom for variance, freedom in shared.values())
    total = math.fsum(part.variance for part in parts)
    return total, total**2 / squares if squares else math.inf


def _level(value: float, sides: tuple[Side, ...], others: tuple[Part, ...]) -> Level:
    trusted = _stands(sides)
    parts = [part for side in sides for part in _parts(side, side.processes, trusted)]
    variance, freedom = combined([*parts, *others])
    return Level(value, math.sqrt(variance), freedom, sides, others)


def _stands(sides: Sequence[Side]) -> bool:
    """Whether what the processes of all sides showed agrees with the machine's known spread."""
    from scipy.special import fdtrc

    known = [side for side in sides if side.known is not None and side.freedom]
    freedom = sum(side.freedom for side in known)
    expected = math.fsum(side.freedom * ((side.known or 0) + side.within) for side in known)
    seen = math.fsum(side.freedom * side.variance for side in known)
    if not freedom or seen <= expected:
        return True
    if not expected:
        return False
    return float(fdtrc(freedom, known[0].known_freedom, seen / expected)) >= CONTRADICTED


def _parts(side: Side, processes: int, trusted: bool) -> list[Part]:
    """Variance of the mean over so many processes like those of ``side``.

    What differs within a process is in ``side.variance`` already; it is added to what is known of
    the machine, which is of processes alone.
    """
    own = processes - 1
    if side.known is None or (not trusted and own):
        if not side.freedom:
            return [Part(side.within / processes, math.inf)]
        return [Part(side.variance / processes, own)] if own else []
    weight = side.known_freedom / (side.known_freedom + own)
    parts = [Part(weight * side.within / processes, math.inf)]
    if own:
        variance = side.variance if side.freedom else side.known + side.within
        parts.append(Part((1 - weight) * variance / processes, own))
    parts.append(Part(weight * side.known / processes, side.known_freedom, _MACHINE))
    return parts


def _half_width(level: Level, processes: int) -> float:
    trusted = _stands(level.sides)
    parts = [part for side in level.sides for part in _parts(side, processes, trusted)]
    if level.sides and not parts:
        return math.inf
    variance, freedom = combined([*parts, *level.others])
    return student(freedom) * math.sqrt(variance)
