"""How sure a figure is between processes: intervals and differences of means of logarithms.

A figure of a process is one draw: another process of the same command gives another one. All
values here are logarithms of times or speeds, and all standard deviations and errors are of
logarithms: 0.03 is about 3 %.

The variance between processes is *moderated*: what few processes show of it is averaged with the
machine's known spread, each weighted by its degrees of freedom (Smyth 2004, Statistical
Applications in Genetics and Molecular Biology 3(1), equation 5). What is known from elsewhere
counts the less, the less the processes agree with it by an F test: docs/decisions.md says why, and
how often verdicts are then right. Variances add up with the degrees of freedom of Satterthwaite
1946, Biometrics Bulletin 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr_scaling.core.spread import Spread
from asr_scaling.core.statistics import Interval, student

AGREES = 0.3
"""What is known from elsewhere counts in full where chance alone gives an F as large so often."""
HOURS_FREEDOM = 2.0
"""Degrees of freedom of a spread between hours: it is known from at least three times."""
ALONE = 5.0
"""What is known counts with no more degrees of freedom for a process that stands alone: nothing
shows whether it is one of those that a burst of the host made slow (docs/decisions.md, 5.12)."""
MOST_PROCESSES = 100
"""More than so many processes a side are not advised."""
MINUTES, HOURS = "minutes", "hours"
"""How far apart a level is stated, or compared, while its processes ran in turns."""
_MACHINE = "machine"


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
class _Evidence:
    """An estimate of the variance of one process.

    counts: degrees of freedom that it counts with.
    freedom: degrees of freedom that it rests on.
    source: as of ``Part``.
    """

    variance: float
    counts: float
    freedom: float
    source: str


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
    apart: str = "",
) -> Level:
    """The mean over processes of the logarithm of a figure.

    logs: one value a process, at least one.
    errors: standard error of each within its process; as many.
    prior: what is known of the machine's spread; None where nothing is.
    usual: whether these are figures at the machine's usual state, whose spread is a smaller one.
    apart: ``MINUTES`` or ``HOURS``, where the level is stated, or compared, across them; empty for
        a comparison with processes that ran in turn with these.

    One process without ``prior``: the level is of this process, its error that within it.
    """
    n, value = len(logs), math.fsum(logs) / len(logs)
    variance = math.fsum((x - value) ** 2 for x in logs) / (n - 1) if n > 1 else 0.0
    within = math.fsum(error * error for error in errors) / n
    if prior is None:
        return _level(value, (Side(n, variance, within),), ())
    known = prior.usual if usual and prior.usual is not None else prior.processes
    side = Side(n, variance, within, known**2, prior.freedom)
    return _level(value, (side,), _apart(prior, usual, apart))


def _apart(prior: Spread, usual: bool, apart: str) -> tuple[Part, ...]:
    """What measurements so far apart differ by, as far as it is known."""
    minutes = prior.usual_minutes if usual and prior.usual is not None else prior.minutes
    if apart == HOURS and prior.hours is not None:
        return (Part(prior.hours**2, HOURS_FREEDOM, HOURS),)
    if apart and minutes is not None:
        return (Part(minutes**2, prior.minutes_freedom, MINUTES),)
    return ()


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


def processes_needed(level: Level, reach: float | None = None, least: int = 1) -> int | None:
    """How many processes, on each side, would bring the interval's half width below ``reach``.

    level: one of ``of_processes`` or a ``difference`` of two such: its variances are taken as they
        are known so far, with the degrees of freedom that so many processes would have.
    reach: a logarithm; without it the size of the value, which decides whether it differs from 0.
    least: fewest that are thought of, as where there are some already.

    None where more than ``MOST_PROCESSES`` would be needed, or no number suffices.
    """
    target = abs(level.value) if reach is None else reach
    known = all(side.known is not None for side in level.sides)
    for n in range(max(least, 1 if known else 2), MOST_PROCESSES + 1):
        if _half_width(level, n) < target:
            return n
    return None


def known_freedom(level: Level) -> float:
    """Degrees of freedom that the machine's known spread counts with in a level of one system."""
    (side,) = level.sides
    return math.fsum(own.counts for own in _evidence((side,), 0) if own.source == _MACHINE)


def combined(parts: Sequence[Part]) -> tuple[float, float]:
    """Sum of the variances and its degrees of freedom; parts of one source vary together."""
    shared: dict[str, Part] = {}
    squares = 0.0
    for part in parts:
        if part.source:
            before = shared.get(part.source, Part(0.0, part.freedom))
            freedom = max(before.freedom, part.freedom)
            shared[part.source] = Part(before.variance + part.variance, freedom, part.source)
        else:
            squares += part.variance**2 / part.freedom
    squares += math.fsum(part.variance**2 / part.freedom for part in shared.values())
    total = math.fsum(part.variance for part in parts)
    return total, total**2 / squares if squares else math.inf


def _level(value: float, sides: tuple[Side, ...], others: tuple[Part, ...]) -> Level:
    parts = [part for i in range(len(sides)) for part in _of_side(sides, i)]
    variance, freedom = combined([*parts, *others])
    return Level(value, math.sqrt(variance), freedom, sides, others)


def _of_side(sides: Sequence[Side], i: int) -> list[Part]:
    """Variance of the mean of side ``i``, in parts by the estimate that each rests on."""
    side, evidence = sides[i], _evidence(sides, i)
    weight = math.fsum(each.counts for each in evidence)
    if not weight:  # one process of a machine of which nothing is known
        return [Part(side.within / side.processes, math.inf)]
    moderated = math.fsum(each.counts * each.variance for each in evidence) / weight
    parts = []
    for each in evidence:
        variance = each.counts / weight * moderated / side.processes
        if each.source == _MACHINE:  # calls are known apart from it
            known = (side.known or 0.0) / each.variance if each.variance else 1.0
            parts.append(Part(variance * (1 - known), math.inf))
            variance *= known
        parts.append(Part(variance, each.freedom, each.source))
    return parts


def _evidence(sides: Sequence[Side], i: int) -> list[_Evidence]:
    """Estimates of the variance of one process of side ``i``.

    Its own processes; those of the other side, at most as many and as far as they agree; the
    machine's known spread, as far as it does not understate what the processes show. What differs
    within processes is in the first, and put in the place of the other side's and added to the
    machine's.
    """
    side, evidence = sides[i], list[_Evidence]()
    if side.freedom:
        evidence.append(_Evidence(side.variance, side.freedom, side.freedom, f"side {i}"))
    for j, other in enumerate(sides):
        if j == i or not other.freedom:
            continue
        variance = max(0.0, other.variance - other.within + side.within)
        counts = float(min(side.freedom, other.freedom))
        if side.freedom:
            upper = _exceeds(Part(side.variance, side.freedom), Part(variance, other.freedom))
            counts *= _trust(2 * min(upper, 1 - upper))
        elif side.known is None:
            counts = other.freedom
        evidence.append(_Evidence(variance, counts, other.freedom, f"side {j}"))
    if side.known is not None:
        freedom = side.known_freedom if side.freedom else min(side.known_freedom, ALONE)
        known = Part(side.known + side.within, freedom)
        trust = _trust(_exceeds(Part(side.variance, side.freedom), known)) if side.freedom else 1.0
        counts = trust * known.freedom
        evidence.append(_Evidence(known.variance, counts, counts, _MACHINE))
    return [each for each in evidence if each.counts]


def _exceeds(seen: Part, expected: Part) -> float:
    """Probability of as large a ratio of two estimates of one variance by chance: F test."""
    from scipy.special import fdtrc

    if not seen.variance:
        return 1.0
    if not expected.variance:
        return 0.0
    return float(fdtrc(seen.freedom, expected.freedom, seen.variance / expected.variance))


def _trust(probability: float) -> float:
    """Share of its degrees of freedom that evidence counts with which agrees so well."""
    return min(1.0, probability / AGREES)


def _half_width(level: Level, processes: int) -> float:
    """Of the interval, were each side of so many processes with variances as known so far."""
    sides = tuple(
        replace(
            side,
            processes=processes,
            variance=math.fsum(part.variance for part in _of_side(level.sides, i)) * side.processes,
        )
        for i, side in enumerate(level.sides)
    )
    planned = _level(level.value, sides, level.others)
    return student(planned.freedom) * planned.error
