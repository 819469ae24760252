"""What calls, processes and hours add to a variance: arithmetic, known components, plans."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.statistics import student
from asr_scaling.core.variance_components import Components, components, plan

VALUE = st.floats(-5, 5).map(lambda x: round(x, 3))
PROCESSES = st.lists(st.lists(VALUE, min_size=2, max_size=6), min_size=2, max_size=5)


def test_unequal_numbers_of_calls_follow_the_analysis_of_variance():
    found = components([[1.0, 2.0, 3.0], [4.0, 5.0], [2.0, 4.0, 4.0, 6.0]])
    within = 2.0 + 0.5 + 8.0  # sums of squares about the means of the processes
    calls = within / 6
    assert found.calls == pytest.approx(calls)
    size = (9 - (9 + 4 + 16) / 9) / 2
    means, sizes, mean = (2.0, 4.5, 4.0), (3, 2, 4), 31 / 9
    squares = sum(n * (m - mean) ** 2 for n, m in zip(sizes, means, strict=True)) / 2
    assert found.processes == pytest.approx((squares - calls) / size)


def test_equal_numbers_give_kalibera_and_jones_formula():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 3, 5))  # hours × processes × calls
    found = components(values.tolist())
    calls = values.var(axis=2, ddof=1).mean()
    of_processes = values.mean(axis=2).var(axis=1, ddof=1).mean()
    hours = values.mean(axis=(1, 2)).var(ddof=1) - of_processes / 3
    assert found.calls == pytest.approx(calls)
    assert found.processes == pytest.approx(max(0, of_processes - calls / 5))
    assert found.hours == pytest.approx(max(0, hours))


def test_an_estimate_below_zero_is_zero():
    found = components([[0.0, 1.0], [1.0, 0.0]])
    assert found == Components(0.5, 0.0)


def test_known_components_are_found_again_in_unbalanced_studies():
    rng, found = np.random.default_rng(2), []
    for _ in range(300):
        hours = []
        for _ in range(rng.integers(3, 6)):
            hour = rng.normal(0, 0.05)
            hours.append(
                [
                    (hour + rng.normal(0, 0.03) + rng.normal(0, 0.1, rng.integers(3, 15))).tolist()
                    for _ in range(rng.integers(2, 5))
                ]
            )
        one = components(hours)
        found.append((one.calls, one.processes, one.hours))
    calls, processes, hour = np.mean(found, axis=0)
    assert calls == pytest.approx(0.1**2, rel=0.03)
    assert processes == pytest.approx(0.03**2, rel=0.25)
    assert hour == pytest.approx(0.05**2, rel=0.25)


@pytest.mark.parametrize("nested", [[[1.0], [2.0]], [[1.0, 2.0]], [[[1.0, 2.0]], [[2.0, 3.0]]]])
def test_a_level_that_was_not_repeated_is_said(nested):
    with pytest.raises(ValueError, match="not repeated"):
        components(nested)


def test_one_level_has_no_components():
    with pytest.raises(ValueError, match="two or three"):
        components([1.0, 2.0])


@given(PROCESSES, st.randoms())
def test_the_order_of_processes_and_calls_does_not_matter(processes, random):
    before = components(processes)
    shuffled = [random.sample(calls, len(calls)) for calls in processes]
    random.shuffle(shuffled)
    after = components(shuffled)
    assert after.calls == pytest.approx(before.calls, abs=1e-9)
    assert after.processes == pytest.approx(before.processes, abs=1e-9)


@given(PROCESSES, VALUE, st.floats(0.1, 10))
def test_another_unit_does_not_matter_and_a_power_scales(processes, shift, factor):
    before = components(processes)
    after = components([[shift + factor * x for x in calls] for calls in processes])
    assert after.calls == pytest.approx(factor**2 * before.calls, abs=1e-7)
    assert after.processes == pytest.approx(factor**2 * before.processes, abs=1e-7)


def test_a_plan_is_the_cheapest_that_is_precise_enough():
    of, costs, precision = Components(0.01, 0.0009), (1.0, 20.0), 0.03
    best = plan(of, costs, precision)
    assert best is not None
    assert best.half_width <= precision
    assert best.seconds == best.processes * (20 + best.calls)
    tried = [
        n * (20 + r)
        for n in range(2, 40)
        for r in range(1, 200)
        if student(n - 1) * math.sqrt((of.processes + of.calls / r) / n) <= precision
    ]
    assert best.seconds == min(tried)


def test_with_many_processes_the_calls_of_each_are_kalibera_and_jones():
    best = plan(Components(0.04, 0.0004), (1.0, 4.0), 0.0125)
    assert best is not None
    assert best.processes > 50
    assert best.calls == pytest.approx(math.sqrt(4 / 1 * 0.04 / 0.0004), abs=2)


def test_what_is_known_of_the_machine_saves_processes():
    of, costs = Components(0.0, 0.0009), (1.0, 20.0)
    alone, helped = plan(of, costs, 0.03), plan(of, costs, 0.03, known_freedom=5.0)
    assert alone is not None
    assert helped is not None
    assert helped.processes < alone.processes


def test_no_plan_where_none_is_precise_enough():
    assert plan(Components(0.0, 0.09), (1.0, 20.0), 0.03) is None
    assert plan(Components(1e4, 0.0), (1.0, 20.0), 0.0003) is None


def test_a_plan_keeps_to_the_fewest_calls():
    of, costs = Components(0.0, 0.0009), (1.0, 20.0)
    assert plan(of, costs, 0.03, fewest_calls=6).calls == 6
    many = plan(of, costs, 0.03, calls_in_all=1000)
    assert many.calls == math.ceil(1000 / many.processes)


def test_means_of_speech_that_were_taken_away_cost_degrees_of_freedom():
    rng, found = np.random.default_rng(3), []
    for _ in range(400):
        of_speech = rng.normal(0, 0.5, 10)
        logs = rng.normal(0, 0.05, (3, 1)) + rng.normal(0, 0.1, (3, 10)) + of_speech
        left = logs - logs.mean(axis=0)
        one = components(left.tolist(), fitted=9)
        found.append((one.calls, one.processes))
    calls, processes = np.mean(found, axis=0)
    assert calls == pytest.approx(0.1**2, rel=0.05)
    assert processes == pytest.approx(0.05**2, rel=0.2)
    with pytest.raises(ValueError, match="not repeated"):
        components([[0.1, -0.1], [0.2, -0.2]], fitted=2)
