"""The calls of two records, brought to one state of the machine before they are compared.

That state is the mean of both records' own (core/usual_state.py has the method), so that neither
is moved further than the other. A side whose calls the state does not explain stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.times import State
from asr_scaling.core.learned_state import Coefficients, coefficients_of
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.usual_state import Adjusted, at_usual, usual_state

AT_ONE_STATE = "at one machine state"


@dataclass(frozen=True)
class OneState:
    """Calls of A and of B.

    samples: at one machine state where they could be brought to it.
    states: how they were taken.
    notes: what was adjusted, by how much, and what was not and why.
    """

    samples: tuple[Sequence[Sample], Sequence[Sample]]
    states: tuple[State, State] = (State(), State())
    notes: tuple[str, ...] = ()

    @property
    def adjusted(self) -> tuple[bool, bool]:
        """Whether A, and whether B, was brought to it."""
        return self.states[0].usual, self.states[1].usual


def at_one_state(a: RunRecord, b: RunRecord) -> OneState:
    """Both as they were where no probe of the metronome was read beside both."""
    ours, theirs = usual_state(a.beats), usual_state(b.beats)
    reference = {
        probe: math.sqrt(seconds * theirs[probe])
        for probe, seconds in ours.items()
        if theirs.get(probe, 0.0) > 0 and seconds > 0
    }
    if not reference:
        notes: tuple[str, ...] = ()
        if a.beats and b.beats:
            notes = ("Times are as they were: no probe of the metronome was read beside both.",)
        elif a.beats or b.beats:
            notes = ("Times are as they were: the metronome ran beside one of the two only.",)
        return OneState((a.samples, b.samples), notes=notes)
    first, second = (
        at_usual(record.samples, record.beats, reference, learned)
        for record, learned in zip((a, b), _coefficients(a, b), strict=True)
    )
    notes = tuple(
        _note(side, record, found) for side, record, found in (("A", a, first), ("B", b, second))
    )
    states = State(first.made, first.shift_error), State(second.made, second.shift_error)
    return OneState((first.samples, second.samples), states, notes)


def _coefficients(a: RunRecord, b: RunRecord) -> tuple[Coefficients | None, Coefficients | None]:
    """Those of each record; of one system measured twice the ones that rest on more processes."""
    ours, theirs = (coefficients_of(record.environment) for record in (a, b))
    if a.identity and a.identity == b.identity and (ours or theirs):
        best = max((c for c in (ours, theirs) if c is not None), key=lambda c: c.processes)
        return best, best
    return ours, theirs


def _note(side: str, record: RunRecord, found: Adjusted) -> str:
    if not found.made:
        return f"Times of {side} are as they were: {found.why.rstrip('.')}."
    before, after = (
        math.fsum(math.log(sample.total_s) for sample in samples) / len(samples)
        for samples in (record.samples, found.samples)
    )
    what = ""
    if found.explained is not None:
        whose = f"{found.learned} processes measured earlier" if found.learned else "its calls"
        what = f", which explains {found.explained:.0%} of what {whose} differ by"
    change = f"{100 * math.expm1(after - before):+.1f} %"
    return f"Times of {side} are compared at the mean machine state of both, {change}{what}."
