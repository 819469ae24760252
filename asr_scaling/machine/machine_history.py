"""What the earlier measurements of this machine say together.

How much its processes differ, and what the machine's state, as its metronome tells it, has to do
with it (core/learned_state.py). machine/spread_history.py keeps the measurements.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.core.earlier import Earlier
from asr_scaling.core.learned_state import LearnedState, with_coefficients
from asr_scaling.core.spread import Spread, with_spread
from asr_scaling.core.spread_fit import FEWEST_SYSTEMS, between_hours, between_minutes, fitted
from asr_scaling.machine.spread_history import SELF_TEST, entries


@dataclass(frozen=True)
class History:
    """What is known of this machine.

    spread: of the times of its processes.
    learned: what its state does to calls.
    """

    spread: Spread
    learned: LearnedState

    def facts(self, environment: Mapping[str, Any], system: str) -> dict[str, Any]:
        """``environment`` with the spread, and with the coefficients of ``system`` if any."""
        facts = with_spread(environment, self.spread)
        found = self.learned.coefficients(system)
        return facts if found is None else with_coefficients(facts, found)


def known(certified: Spread, before: float = math.inf) -> History:
    """What the self-test measured, with earlier records.

    certified: what the self-test measured; it is one system among the others.
    before: seconds since 1970; what was measured later is left out.

    Where several processes each timed at least ``FEWEST_SYSTEMS`` systems, the self-test's among
    them, their typical variance counts, the more the more alike it is between them (Smyth 2004).
    With fewer the self-test's stands. The spread at the machine's usual state is what earlier
    processes still differ by once the state's effect is taken out, each by coefficients that were
    fitted without its measurement; None where the state is not trusted. What hours, and what
    measurements of one hour, differ by is known where systems were measured so often.
    """
    every = [entry for entry in entries() if entry.at < before]
    spread = _with_earlier(certified, [entry for entry in every if entry.system != SELF_TEST])
    times = _times(every)
    if minutes := between_minutes(times, spread.processes**2):
        spread = replace(spread, minutes=math.sqrt(minutes[0]), minutes_freedom=minutes[1])
    hours = between_hours(times, spread.processes**2)
    if hours is not None:
        spread = replace(spread, hours=math.sqrt(hours))
    read = [entry for entry in every if len(entry.states) == len(entry.logs)]
    learned = LearnedState(read)
    return History(_at_usual(spread, read, learned) if learned.trusted else spread, learned)


def _at_usual(spread: Spread, read: Sequence[Earlier], learned: LearnedState) -> Spread:
    """The spread with what is left of it at the machine's usual state."""
    left = [
        replace(entry, logs=logs) for entry, logs in zip(read, learned.left(), strict=True) if logs
    ]
    variance, freedom = _typical((entry.system, entry.logs) for entry in left)
    minutes = between_minutes(_times(left), variance)
    return replace(
        spread,
        usual=math.sqrt(variance),
        freedom=min(freedom, spread.freedom),
        usual_minutes=None if minutes is None else math.sqrt(minutes[0]),
    )


def _with_earlier(certified: Spread, earlier: Sequence[Earlier]) -> Spread:
    """The self-test's spread with that of ``earlier`` measurements."""
    systems = {entry.system for entry in earlier if len(entry.logs) > 1}
    if 1 + len(systems) < FEWEST_SYSTEMS:
        return certified
    self_test = (certified.processes**2, certified.freedom)
    figures = ((entry.system, entry.logs) for entry in earlier)
    variance, freedom = _typical(figures, self_test)
    source = f"{certified.source}, and {len(systems)} systems measured here earlier"
    return replace(certified, processes=math.sqrt(variance), freedom=freedom, source=source)


def _typical(
    figures: Iterable[tuple[str, Sequence[float]]], *others: tuple[float, float]
) -> tuple[float, float]:
    """The typical variance of systems between processes, with its degrees of freedom.

    figures: of each measurement its system, and the logarithms of its processes; of one system at
        least there are two processes.
    others: variances that are known already, with their degrees of freedom.

    Of fewer than ``FEWEST_SYSTEMS`` it is their mean by degrees of freedom, and counts for no more
    of these than one system has: how unlike systems are is not known.
    """
    squares: dict[str, list[float]] = {}
    for system, logs in figures:
        if len(logs) > 1:
            sums = squares.setdefault(system, [0.0, 0.0])
            sums[0] += statistics.variance(logs) * (len(logs) - 1)
            sums[1] += len(logs) - 1
    pairs = [*others, *((total / own, own) for total, own in squares.values())]
    if len(pairs) >= FEWEST_SYSTEMS:
        return fitted([variance for variance, _ in pairs], [freedom for _, freedom in pairs])
    freedom = math.fsum(own for _, own in pairs)
    return math.fsum(v * own for v, own in pairs) / freedom, min(own for _, own in pairs)


def _times(every: Iterable[Earlier]) -> list[list[tuple[float, tuple[float, ...]]]]:
    """The measurements of each system: when, and the logarithms of its processes."""
    times: dict[str, list[tuple[float, tuple[float, ...]]]] = {}
    for entry in every:
        times.setdefault(entry.timed, []).append((entry.at, entry.logs))
    return list(times.values())
