"""How sure a figure is between processes: arithmetic, and what must hold for all data."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asr_scaling.core.levels import (
    HOURS,
    MINUTES,
    Level,
    difference,
    of_processes,
    processes_needed,
)
from asr_scaling.core.spread import Spread

LOGS = st.lists(st.floats(-3, 3).map(lambda x: round(x, 4)), min_size=1, max_size=6)
SPREADS = st.floats(0.001, 0.5)
KNOWN = Spread(0.03, usual=0.01, freedom=5.0)


def test_without_a_known_spread_it_is_students_interval_of_the_mean():
    level = of_processes([0.10, 0.13, 0.07], [0.0, 0.0, 0.0], None)
    assert level.value == pytest.approx(0.10)
    assert level.error == pytest.approx(0.03 / math.sqrt(3))
    assert level.freedom == pytest.approx(2)
    assert level.interval().high == pytest.approx(0.10 + 4.30265 * 0.03 / math.sqrt(3), rel=1e-5)


def test_a_known_spread_is_averaged_in_by_its_degrees_of_freedom():
    logs = [0.10, 0.12, 0.08]
    level = of_processes(logs, [0.0, 0.0, 0.0], KNOWN)
    moderated = (5 * 0.03**2 + 2 * statistics.variance(logs)) / 7
    assert level.error == pytest.approx(math.sqrt(moderated / 3))
    assert level.freedom > 2


def test_one_process_is_as_sure_as_its_calls_and_the_machine_allow():
    level = of_processes([0.10], [0.02], KNOWN)
    assert level.error == pytest.approx(math.hypot(0.02, 0.03))
    assert level.freedom >= 5
    alone = of_processes([0.10], [0.02], None)
    assert (alone.error, alone.freedom) == (0.02, math.inf)


def test_figures_at_the_usual_state_have_their_own_spread():
    assert of_processes([0.1], [0.0], KNOWN, usual=True).error == pytest.approx(0.01)
    unknown = Spread(0.03, freedom=5.0)
    assert of_processes([0.1], [0.0], unknown, usual=True).error == pytest.approx(0.03)


def test_what_differs_between_hours_is_added_where_asked():
    known = Spread(0.03, freedom=5.0, hours=0.04)
    logs, errors = [0.10, 0.12, 0.08], [0.0, 0.0, 0.0]
    within, across = (of_processes(logs, errors, known, apart=apart) for apart in ("", HOURS))
    assert across.error == pytest.approx(math.hypot(within.error, 0.04))


@pytest.mark.parametrize(
    ("usual", "apart", "added"),
    [(False, "", 0.0), (False, MINUTES, 0.02), (False, HOURS, 0.02), (True, MINUTES, 0.005)],
)
def test_what_minutes_differ_by_is_added_where_asked_and_for_hours_that_are_not_known(
    usual: bool, apart: str, added: float
):
    known = replace(KNOWN, minutes=0.02, usual_minutes=0.005, minutes_freedom=9.0)
    logs, errors = [0.10, 0.12, 0.08], [0.0, 0.0, 0.0]
    within, across = (of_processes(logs, errors, known, usual, how) for how in ("", apart))
    assert across.error == pytest.approx(math.hypot(within.error, added))


def test_what_is_known_counts_five_degrees_of_freedom_for_a_process_alone():
    """Student's quantile of five is 2.571, whatever number the machine's spread rests on."""
    sure = Spread(0.03, freedom=1e9)
    alone, three = (of_processes(logs, [0.0] * len(logs), sure) for logs in ([0.1], [0.1] * 3))
    assert alone.interval().half(0.1) == pytest.approx(2.571 * 0.03, rel=1e-3)
    assert three.interval().half(0.1) == pytest.approx(1.96 * 0.03 / math.sqrt(3), rel=1e-3)


def test_a_spread_that_processes_contradict_is_dropped():
    far = [0.5, 0.0, -0.5]
    level = of_processes(far, [0.0, 0.0, 0.0], KNOWN)
    assert level.error == pytest.approx(statistics.stdev(far) / math.sqrt(3), rel=0.01)
    assert level.freedom == pytest.approx(2, rel=0.02)


def test_a_difference_counts_the_machines_spread_once():
    a, b = (of_processes([x], [0.0], KNOWN) for x in (0.1, 0.3))
    between = difference(a, b)
    assert between.value == pytest.approx(0.2)
    assert between.error == pytest.approx(0.03 * math.sqrt(2))
    assert between.freedom == pytest.approx(5)


def test_levels_made_by_hand_differ_as_in_welchs_test():
    between = difference(Level(0.1, 0.03, 4), Level(0.2, 0.04, 8))
    assert between.error == pytest.approx(0.05)
    assert between.freedom == pytest.approx(0.05**4 / (0.03**4 / 4 + 0.04**4 / 8))


def test_so_many_processes_decide_and_no_fewer():
    spread = Spread(0.03, freedom=1e9)  # as good as known: then n decide when 1.96 s √(2/n) < d
    a, b = (of_processes([x], [0.0], spread) for x in (0.0, 0.02))
    assert processes_needed(difference(a, b)) == math.ceil(2 * (1.95996 * 0.03 / 0.02) ** 2)


def test_no_number_of_processes_lessens_what_hours_differ_by():
    known = Spread(0.03, freedom=5.0, hours=0.04)
    a, b = (of_processes([x], [0.0], known, apart=HOURS) for x in (0.0, 0.05))
    assert processes_needed(difference(a, b)) is None


def test_precision_is_reached_with_more_processes_where_it_is_finer():
    level = of_processes([0.0, 0.03, -0.03], [0.0] * 3, KNOWN)
    needed = [processes_needed(level, reach) for reach in (0.10, 0.03, 0.01)]
    assert None not in needed
    assert needed == sorted(needed, key=lambda n: n or 0)
    assert needed[0] != needed[-1]


def level_of(logs, spread=0.03, within=0.01):
    prior = None if spread is None else Spread(spread, freedom=5.0)
    return of_processes(logs, [within] * len(logs), prior)


@given(LOGS, SPREADS, st.randoms())
def test_the_order_of_processes_does_not_matter(logs, spread, random):
    shuffled = random.sample(logs, len(logs))
    before, after = level_of(logs, spread), level_of(shuffled, spread)
    assert after.value == pytest.approx(before.value, abs=1e-9)
    assert after.error == pytest.approx(before.error)
    assert after.freedom == pytest.approx(before.freedom)


@given(LOGS, SPREADS, st.floats(-2, 2), st.floats(0.1, 10))
def test_another_unit_shifts_and_a_power_scales(logs, spread, shift, factor):
    before = level_of(logs, spread)
    after = level_of([shift + factor * x for x in logs], factor * spread, factor * 0.01)
    assert after.value == pytest.approx(shift + factor * before.value, abs=1e-7)
    assert after.error == pytest.approx(factor * before.error, rel=1e-5)
    assert after.freedom == pytest.approx(before.freedom, rel=1e-4)


@given(LOGS, LOGS, SPREADS)
def test_a_difference_the_other_way_round_is_its_negative(a, b, spread):
    one, other = level_of(a, spread), level_of(b, spread)
    there, back = difference(one, other), difference(other, one)
    assert there.value == pytest.approx(-back.value, abs=1e-9)
    assert there.error == pytest.approx(back.error)
    assert there.freedom == pytest.approx(back.freedom)


@given(LOGS, SPREADS)
def test_what_is_known_moderates_and_no_more(logs, spread):
    """The variance lies between what processes show and what the machine is known for."""
    assume(len(logs) > 1)
    moderated = level_of(logs, spread).error ** 2 * len(logs)
    shown, known = statistics.variance(logs), spread**2 + 0.01**2
    assert min(shown, known) * (1 - 1e-9) <= moderated <= max(shown, known) * (1 + 1e-9)


@given(LOGS, SPREADS, st.floats(1.0, 5.0))
def test_a_larger_spread_of_the_machine_never_narrows_where_processes_agree_with_it(
    logs, spread, factor
):
    assume(len(logs) == 1 or statistics.stdev(logs) <= spread)
    assert level_of(logs, factor * spread).error >= level_of(logs, spread).error * (1 - 1e-9)


@given(LOGS, st.floats(1e-6, 1.0), st.floats(1.0, 50.0))
def test_another_part_never_makes_a_level_surer(logs, variance, freedom):
    level = level_of(logs)
    assert level.with_part(variance, freedom).error > level.error


@given(LOGS, LOGS, st.floats(0.005, 0.5), st.floats(1.0, 4.0))
def test_a_finer_reach_never_needs_fewer_processes(a, b, reach, factor):
    level = difference(level_of(a), level_of(b))
    fine, coarse = processes_needed(level, reach), processes_needed(level, reach * factor)
    assert fine is None or (coarse is not None and coarse <= fine)
