"""Simulated pairs of studies: what is called different is different, and what can't be told is not.

The time of a call is that of its utterance, times what its process, its minute and chance make of
it, all lognormal. A system's time for a batch is the mean over it, so that identical systems have
one latency at every batch size.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from asr_scaling.analysis.comparison.gate import Gate
from asr_scaling.analysis.comparison.verdict import LATENCY, RTFX, compare
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread

STUDIES, UTTERANCES = 200, 16
SPREAD, CALLS = 0.03, 0.05
"""Standard deviations of logarithms: between processes, and between calls on one input."""
KNOWN = Spread(SPREAD, freedom=7.0, source="made up")
"""As a self-test of eight processes tells it."""
State = Callable[[int], float]
"""Number of a process in the order of time → logarithm of what the machine makes of its times."""


def still(number: int) -> float:
    """A machine that doesn't change."""
    return 0.0 * number


@dataclass
class Machine:
    """``rng``: of this study. ``spread``: between its processes. ``state``: how it changes."""

    rng: np.random.Generator
    spread: float = SPREAD
    state: State = still

    def __post_init__(self) -> None:
        self.effects = self.rng.lognormal(0, 0.5, UTTERANCES)

    def measured(
        self,
        factor: float = 1.0,
        *,
        at: Sequence[int] = (0,),
        size: int = 1,
        rounds: int = 2,
        known: Spread = KNOWN,
    ) -> RunRecord:
        """A system in a process for each number in ``at``, its calls ``factor`` times as long."""
        shifts = [self.rng.normal(math.log(factor) + self.state(k), self.spread) for k in at]
        starts = range(0, UTTERANCES, size)
        samples = tuple(
            self._call(start, size, math.exp(shift + self.rng.normal(0, CALLS)), number)
            for number, shift in enumerate(shifts)
            for _ in range(rounds)
            for start in starts
        )
        environment = {"spread": known.to_json()}
        return RunRecord("x", "ok", {}, environment, samples=samples)

    def _call(self, start: int, size: int, factor: float, process: int) -> Sample:
        ids = tuple(f"u{start + i}" for i in range(size))
        seconds = float(self.effects[start : start + size].mean()) * factor
        return Sample(ids, 3.0 * size, 3.0 * size, seconds, {}, process=process)


def answers(
    study: Callable[[Machine], tuple[RunRecord, RunRecord]],
    metrics: Sequence[str] = (LATENCY, RTFX),
    **machine: Any,
) -> Counter[str]:
    """How often each verdict, in a word, was given of latency and of RTFx."""
    found = Counter[str]()
    for seed in range(STUDIES):
        a, b = study(Machine(np.random.default_rng(seed), **machine))
        between = compare(a, b)
        for metric in metrics:
            row = between.row(metric)
            word = row.verdict if row.answer == "differs" else row.answer
            found[word] += 1
    return found


def different(found: Counter[str]) -> float:
    return (found["slower"] + found["faster"]) / found.total()


SIZES = [(1, 2, 1, 2), (8, 6, 8, 6), (16, 6, 16, 6), (1, 4, 8, 6), (4, 1, 4, 1)]


@pytest.mark.parametrize(("size_a", "rounds_a", "size_b", "rounds_b"), SIZES)
@pytest.mark.parametrize("processes", [1, 3])
def test_identical_systems_are_called_different_in_at_most_one_of_twenty(
    processes: int, size_a: int, rounds_a: int, size_b: int, rounds_b: int
) -> None:
    def pair(machine: Machine) -> tuple[RunRecord, RunRecord]:
        at = range(processes)
        return (
            machine.measured(at=at, size=size_a, rounds=rounds_a),
            machine.measured(at=at, size=size_b, rounds=rounds_b),
        )

    # a batch of eight takes as long as one call, so that its RTFx does differ
    metrics = (LATENCY, RTFX) if size_a == size_b else (LATENCY,)
    assert different(answers(pair, metrics)) <= 0.06  # 5 %, and what chance makes of it


@pytest.mark.parametrize("spread", [0.03, 0.05, 0.10])
def test_single_processes_say_that_they_can_not_tell(spread: float) -> None:
    """Identical systems, few calls: rarely "faster" or "slower", and hardly ever "the same"."""
    known = Spread(spread, freedom=7.0)

    def pair(machine: Machine) -> tuple[RunRecord, RunRecord]:
        return machine.measured(known=known), machine.measured(known=known)

    found = answers(pair, spread=spread)
    assert different(found) <= 0.06
    assert found["can't tell"] / found.total() >= 0.93


def test_more_calls_of_one_process_prove_no_more() -> None:
    def pair(machine: Machine) -> tuple[RunRecord, RunRecord]:
        return machine.measured(rounds=40), machine.measured(rounds=40)

    assert different(answers(pair)) <= 0.06


@pytest.mark.parametrize(("factor", "word"), [(1.1, "slower"), (1 / 1.1, "faster")])
def test_a_tenth_is_found_by_three_processes_a_side(factor: float, word: str) -> None:
    def pair(machine: Machine) -> tuple[RunRecord, RunRecord]:
        at = range(3)
        return machine.measured(at=at), machine.measured(factor, at=at)

    assert answers(pair)[word] / (2 * STUDIES) >= 0.9


def test_a_gain_by_a_half_is_told_from_few_calls_where_the_spread_is_known() -> None:
    """Three calls of four utterances each, in one process: 24.3 and 13.7 RTFx."""

    def pair(machine: Machine) -> tuple[RunRecord, RunRecord]:
        few = (
            machine.measured(factor, size=4, rounds=1, known=Spread(0.05, freedom=7.0))
            for factor in (1.0, 13.7 / 24.3)
        )
        a, b = (RunRecord("x", "ok", {}, r.environment, samples=r.samples[:3]) for r in few)
        return a, b

    assert answers(pair, spread=0.05)["faster"] / (2 * STUDIES) >= 0.95


def drifting(number: int) -> float:
    """A machine that gets slower by 2 % with each process."""
    return 0.02 * number


def test_drift_between_sides_is_no_difference_where_they_are_measured_in_turn() -> None:
    """One after the other it is one, which no interval of these processes holds."""

    def in_turn(machine: Machine) -> tuple[RunRecord, RunRecord]:
        return machine.measured(at=(0, 3, 4)), machine.measured(at=(1, 2, 5))

    def one_after_the_other(machine: Machine) -> tuple[RunRecord, RunRecord]:
        return machine.measured(at=(0, 1, 2)), machine.measured(at=(3, 4, 5))

    assert different(answers(in_turn, state=drifting)) <= 0.06
    assert different(answers(one_after_the_other, state=drifting)) >= 0.2


def test_a_gate_fails_identical_systems_never_and_a_fifth_more_always() -> None:
    """Three processes a side, a limit of 5 %: what is neither sure is "can't tell"."""
    gate, found = Gate.parse("latency/p50_s>5%"), dict[float, Counter[bool | None]]()
    for factor in (1.0, 1.05, 1.2):
        found[factor] = Counter()
        for seed in range(STUDIES):
            machine, at = Machine(np.random.default_rng(seed)), range(3)
            a, b = machine.measured(at=at), machine.measured(factor, at=at)
            found[factor][gate.judge(compare(a, b)).failed] += 1
    assert found[1.0][True] / STUDIES <= 0.01
    assert found[1.2][True] / STUDIES >= 0.95
    assert found[1.05][None] / STUDIES >= 0.9
