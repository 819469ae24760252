"""What is known of the machine that two records were measured on, and what would decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

from asr_scaling.analysis.comparison.change import rounded
from asr_scaling.core.levels import HOURS, MINUTES, MOST_PROCESSES
from asr_scaling.core.record import RunRecord
from asr_scaling.core.spread import ASSUMED, Spread, spread_of
from asr_scaling.core.spread_fit import HOUR_S

SWEEP = "sweep.processes={}"
"""How a sweep is asked for more processes: what is typed, with {} for their number."""


@dataclass(frozen=True)
class Machine:
    """What two records' times differ by when nothing differs.

    spread: between processes of the machine.
    processes: of A and of B.
    usual: whether the times of A and of B were brought to one machine state.
    hours: whether the two were measured in different hours.
    in_sequence: whether one was measured after the other, not in turns.
    ask: what is typed for more processes, with {} for their number.
    """

    spread: Spread
    processes: tuple[int, int]
    usual: tuple[bool, bool] = (False, False)
    hours: bool = False
    in_sequence: bool = False
    ask: str = SWEEP

    @property
    def apart(self) -> str:
        """How far apart the two were measured (core/levels.py); empty for in turns."""
        if self.hours:
            return HOURS
        return MINUTES if self.in_sequence else ""

    @property
    def assumed(self) -> bool:
        """Whether nothing is known of the machine, so that the spread is only assumed."""
        return self.spread.source == ASSUMED.source

    @property
    def between(self) -> float:
        """Standard deviation between processes that counts, of the logarithm of a time."""
        usual = self.spread.usual if all(self.usual) else None
        return self.spread.processes if usual is None else usual

    @property
    def sides(self) -> str:
        """ "one process a side", "3 processes a side", "1 and 3 processes"."""
        a, b = self.processes
        if a != b:
            return f"{a} and {b} processes"
        return "one process a side" if a == 1 else f"{a} processes a side"

    def line(self) -> str:
        """For a table: "3 processes a side; processes differ by 3.1 % here (self-test of …)"."""
        source = f" ({self.spread.source.removeprefix('assumed: ')})" if self.spread.source else ""
        state = ", at one machine state" if any(self.usual) else ""
        verb = "are assumed to differ" if self.assumed else "differ"
        return f"{self.sides}; processes {verb} by {rounded(self.between)} here{state}{source}"

    def notes(self) -> list[str]:
        """What intervals don't hold although it may differ."""
        lines = []
        if self.hours and self.spread.hours is None:
            lines.append(
                "A and B were measured over an hour apart, and what hours differ by is not known "
                "of this machine: no interval holds it."
            )
        if self.in_sequence and min(self.processes) > 1:
            lines.append(
                "A was measured first and B after it, or the other way round: what changed on the "
                "machine meanwhile is in the changes. In turns it isn't (sweep.processes)."
            )
        return lines

    def because(self, half: float) -> str:
        """Why a change can't be told whose logarithm is known to ± ``half``."""
        if max(self.processes) > 1:
            return f"{self.sides} leave {self.wide(half)}"
        differ = f"processes differ by {rounded(self.between)} here"
        if self.assumed:
            differ = (
                f"processes are assumed to differ by {rounded(self.between)} "
                "(python -m asr_scaling selftest measures it)"
            )
        return f"{self.sides}, and {differ}"

    def decided_by(self, needed: int | None) -> str:
        """ "about 5 each would decide: sweep.processes=5"."""
        if needed is None or needed > MOST_PROCESSES:
            return f"more than {MOST_PROCESSES} each would be needed"
        needed = max(needed, 2)  # only two or more take turns
        return f"about {needed} each would decide: {self.ask.format(needed)}"

    @staticmethod
    def wide(half: float) -> str:
        """ "± 6.1 %"."""
        return f"± {rounded(math.expm1(half))}"


def machine_of(
    a: RunRecord, b: RunRecord, usual: tuple[bool, bool] = (False, False), ask: str = SWEEP
) -> Machine:
    """What is known of the machine: by the record whose spread rests on more."""
    known = [spread_of(record.environment) for record in (a, b)]
    measured = [spread for spread in known if spread.source != ASSUMED.source]
    spread = max(measured or known, key=lambda spread: spread.freedom)
    apart = abs(_middle(a) - _middle(b)) > HOUR_S
    processes = max(1, a.processes), max(1, b.processes)
    in_sequence = a.ended_at < b.started_at or b.ended_at < a.started_at
    return Machine(spread, processes, usual, apart, in_sequence, ask)


def _middle(record: RunRecord) -> float:
    return (record.started_at + record.ended_at) / 2
