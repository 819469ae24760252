"""What was measured here earlier says more of this machine than the self-test alone."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr_scaling.core.earlier import Earlier
from asr_scaling.core.learned_state import coefficients_of
from asr_scaling.core.spread import Spread, spread_of, with_spread
from asr_scaling.machine.machine_history import known
from asr_scaling.machine.spread_history import SELF_TEST, add

CERTIFIED = Spread(0.04, freedom=5.0, source="self-test")
HOUR = 3600.0


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))


def three_processes(
    spread: float, at: float = 0.0, system: str = "s", mean: float = 0.0
) -> Earlier:
    """Three processes with this very standard deviation."""
    return Earlier(system, at, (mean - spread, mean, mean + spread))


def test_with_fewer_than_three_systems_the_self_test_stands():
    add(three_processes(0.2))
    add(three_processes(0.2, at=5.0))
    assert known(CERTIFIED).spread == CERTIFIED


def test_systems_that_are_alike_say_more_together():
    for i, spread in enumerate((0.04, 0.041, 0.039)):
        add(three_processes(spread, system=f"s{i}"))
    found = known(CERTIFIED).spread
    assert found.processes == pytest.approx(0.04, rel=0.01)
    assert found.freedom == pytest.approx(5 + 3 * 2)
    assert found.source == "self-test, and 3 systems measured here earlier"


def test_systems_that_are_unlike_count_little_for_another_one():
    for i, spread in enumerate((0.001, 0.2, 0.005, 0.4)):
        add(three_processes(spread, system=f"s{i}"))
    assert known(CERTIFIED).spread.freedom < 2


def leaning(systems: int, measurements: int, seed: int = 1) -> None:
    """Measurements of systems that take as long as the memory's probe says, but for 1 %."""
    rng = np.random.default_rng(seed)
    for number in range(measurements):
        states = rng.normal(0, 0.06, 3)
        logs = tuple((0.8 * states + rng.normal(0, 0.01, 3)).tolist())
        shown = tuple({"memory": 0.005 * math.exp(state)} for state in states)
        add(Earlier(f"s{number % systems}", float(number), logs, "speech", shown))


def test_what_the_machines_state_explains_of_earlier_processes_is_learned():
    leaning(3, 24)
    history = known(CERTIFIED)
    assert history.spread.processes > 0.04
    assert history.spread.usual == pytest.approx(0.01, rel=0.5)
    facts = history.facts({"host": "h"}, "s1")
    assert spread_of(facts) == history.spread
    found = coefficients_of(facts)
    assert found is not None
    assert found.values == pytest.approx((0.8,), abs=0.1)
    assert found.processes == 72


def test_where_the_state_explains_nothing_records_get_the_spread_alone():
    for i in range(12):
        add(replace(three_processes(0.04, float(i)), states=({"memory": 1.0},) * 3))
    history = known(CERTIFIED)
    assert history.spread.usual is None
    assert history.facts({}, "s") == with_spread({}, history.spread)


def test_hours_are_told_from_three_of_them():
    means = (0.0, 0.2, -0.2)
    for i, mean in enumerate(means[:2]):
        add(three_processes(0.04, at=i * 2 * HOUR, system=SELF_TEST, mean=mean))
    assert known(CERTIFIED).spread.hours is None
    add(three_processes(0.04, at=4 * 2 * HOUR, system=SELF_TEST, mean=means[2]))
    expected = statistics.variance(means) - 0.04**2 / 3
    assert known(CERTIFIED).spread.hours == pytest.approx(math.sqrt(expected))


def test_what_measurements_of_one_hour_differ_by_beyond_their_processes():
    means = (0.0, 0.1, -0.1, 0.05)
    for i, mean in enumerate(means[:3]):
        add(three_processes(0.02, at=i * HOUR / 5, mean=mean))
    assert known(CERTIFIED).spread.minutes is None
    add(three_processes(0.02, at=3 * HOUR / 5, mean=means[3]))
    found = known(CERTIFIED).spread
    assert found.minutes == pytest.approx(math.sqrt(statistics.variance(means) - 0.04**2 / 3))
    assert found.minutes_freedom == 3


def test_minutes_at_the_usual_state_differ_by_less():
    rng = np.random.default_rng(3)
    for number in range(40):
        minute = rng.normal(0, 0.06)
        states = minute + rng.normal(0, 0.02, 3)
        logs = tuple((0.8 * states + rng.normal(0, 0.01, 3)).tolist())
        shown = tuple({"memory": 0.005 * math.exp(state)} for state in states)
        add(Earlier("s", 60.0 * number, logs, "speech", shown))
    found = known(CERTIFIED).spread
    assert found.minutes == pytest.approx(0.8 * 0.06, rel=0.4)
    assert found.usual_minutes is not None
    assert found.usual_minutes < 0.01


def test_measurements_within_an_hour_are_one_hour():
    for i in range(4):
        add(Earlier(SELF_TEST, i * HOUR / 4, (float(i),)))
    assert known(CERTIFIED).spread.hours is None


def test_hours_that_differ_by_no_more_than_processes_add_nothing():
    for i in range(4):
        add(three_processes(0.04, at=i * 2 * HOUR, system=SELF_TEST))
    assert known(CERTIFIED).spread.hours == 0.0


def test_the_typical_spread_of_simulated_systems_is_found():
    rng = np.random.default_rng(4)
    for i in range(60):
        own = 0.05 * math.sqrt(8 / rng.chisquare(8))
        add(Earlier(f"s{i}", 0.0, tuple(rng.normal(0, own, 6).tolist())))
    found = known(CERTIFIED).spread
    assert found.processes == pytest.approx(0.05, rel=0.15)
    assert 4 < found.freedom < 25
