"""Fits against laws that are known, their properties,
and how often their intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.analysis.fits import (
    Fit,
    HeldOut,
    NoFit,
    Power,
    linear_fit,
    power_fit,
    quotient_interval,
)
from asr_scaling.core.statistics import Interval

LENGTHS = [5.0, 15.0, 30.0, 60.0]
WINDOWS = [1.0, 1.0, 1.0, 2.0]
COST = st.floats(0.001, 1000)
PERMUTED = st.permutations(range(4))


def fitted(columns: list[list[float]], y: list[float], groups: list[float]) -> Fit:
    found = linear_fit(columns, y, groups)
    assert isinstance(found, Fit)
    return found


def powered(x: list[float], y: list[float], groups: list[int]) -> Power:
    found = power_fit(x, y, groups)
    assert isinstance(found, Power)
    return found


@given(COST, COST)
def test_an_exact_law_is_recovered_and_predicts_what_it_was_not_fitted_to(a: float, b: float):
    y = [a * w + b * d for w, d in zip(WINDOWS, LENGTHS, strict=True)]
    found = fitted([WINDOWS, LENGTHS], y, LENGTHS)
    assert found.coefficients == pytest.approx((a, b), rel=1e-6, abs=1e-6 * min(y))
    assert found.freedom == 2
    assert found.held_out.worst == pytest.approx(0, abs=1e-6)
    assert found.predict((4, 120)) == pytest.approx(4 * a + 120 * b, rel=1e-6)


def test_by_hand_weights_are_one_over_the_square():
    """y = k · x through (1, 1) and (1, 2):
    k minimises (1 - k)² + (1 - k/2)², so k = (1 + 1/2) / (1 + 1/4)."""
    found = fitted([[1.0, 1.0]], [1.0, 2.0], [1, 2])
    assert found.coefficients == (pytest.approx(1.2),)
    residual = math.sqrt((1 - 1.2) ** 2 + (1 - 0.6) ** 2)
    half = 12.7062047 * residual / math.sqrt(1.25)  # Student's t of one degree of freedom
    assert found.intervals[0] == Interval(pytest.approx(1.2 - half), pytest.approx(1.2 + half))
    assert found.held_out.errors == {1: pytest.approx(1.0), 2: pytest.approx(-0.5)}
    assert found.held_out.worst == pytest.approx(1.0)
    assert found.held_out.mean == pytest.approx(0.75)


NOISE = st.lists(st.floats(0.8, 1.25), min_size=4, max_size=4)


@given(NOISE, PERMUTED)
def test_the_order_of_points_does_not_matter(noise: list[float], order: list[int]):
    y = [f * (0.3 * w + 0.01 * d) for f, w, d in zip(noise, WINDOWS, LENGTHS, strict=True)]
    a = fitted([WINDOWS, LENGTHS], y, LENGTHS)
    b = fitted(
        [[WINDOWS[i] for i in order], [LENGTHS[i] for i in order]],
        [y[i] for i in order],
        [LENGTHS[i] for i in order],
    )
    assert a.coefficients == pytest.approx(b.coefficients, abs=1e-9)
    assert a.held_out.errors == {
        key: pytest.approx(error, abs=1e-9) for key, error in b.held_out.errors.items()
    }


@given(NOISE, st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
def test_units_scale_coefficients_and_leave_errors_alone(
    noise: list[float], of_y: float, of_x: float
):
    y = [f * (0.3 * w + 0.01 * d) for f, w, d in zip(noise, WINDOWS, LENGTHS, strict=True)]
    a = fitted([WINDOWS, LENGTHS], y, LENGTHS)
    b = fitted([WINDOWS, [of_x * d for d in LENGTHS]], [of_y * value for value in y], LENGTHS)
    scaled = (a.coefficients[0] * of_y, a.coefficients[1] * of_y / of_x)
    sizes = (of_y * 0.3, of_y / of_x * 0.01)
    for wanted, got, size in zip(scaled, b.coefficients, sizes, strict=True):
        assert got == pytest.approx(wanted, abs=1e-6 * size)
    for i, (unit, size) in enumerate(zip((of_y, of_y / of_x), sizes, strict=True)):
        assert math.sqrt(b.spread[i][i]) == pytest.approx(
            unit * math.sqrt(a.spread[i][i]), abs=1e-6 * size
        )
    assert a.held_out.worst == pytest.approx(b.held_out.worst or 0.0, abs=1e-6)


def test_two_points_give_coefficients_without_interval_and_no_check():
    found = fitted([[1.0, 1.0], [5.0, 30.0]], [1.0, 3.5], [5.0, 30.0])
    assert found.coefficients == pytest.approx((0.5, 0.1))
    assert found.intervals == (None, None)
    assert found.freedom == 0
    assert found.held_out.errors == {5.0: None, 30.0: None}
    assert found.held_out.worst is None
    assert found.held_out.mean is None
    assert found.quotient(0, 1) is None


def test_a_group_that_the_others_cannot_predict_has_no_error():
    """Without 5 s, 30 and 60 s are one and two windows exactly:
    window and second can't be told apart."""
    found = fitted([[1.0, 1.0, 2.0], [5.0, 30.0, 60.0]], [0.35, 0.6, 1.2], [5.0, 30.0, 60.0])
    assert found.held_out.errors[5.0] is None
    assert found.held_out.worst == pytest.approx(0, abs=1e-9)


def test_a_group_of_several_values_is_held_out_whole():
    found = fitted([[1.0] * 4, [1.0, 1.0, 2.0, 3.0]], [1.0, 1.1, 2.0, 3.0], [1, 1, 2, 3])
    assert found.held_out.errors[1] == pytest.approx(
        1 / 1.1 - 1
    )  # from 2 and 3 y = x: 1 for both, the larger miss
    assert set(found.held_out.errors) == {1, 2, 3}


@pytest.mark.parametrize(
    ("columns", "y"),
    [
        ([[1.0, 2.0], [30.0, 60.0]], [1.0, 2.0]),  # one column a multiple of the other
        ([[1.0], [30.0]], [1.0]),
        ([[0.0, 0.0], [1.0, 2.0]], [1.0, 2.0]),
        ([[1.0, 1.0], [1.0, 2.0]], [0.0, 2.0]),
        ([[1.0, 1.0], [1.0, 2.0]], [math.nan, 2.0]),
        ([[], []], []),
    ],
)
def test_what_determines_no_law_says_why(columns: list[list[float]], y: list[float]):
    found = linear_fit(columns, y, list(range(len(y))))
    assert isinstance(found, NoFit)
    assert found.reason


@given(COST, st.floats(-3, 3))
def test_an_exact_power_law_is_recovered(factor: float, exponent: float):
    x = [1.0, 2.0, 5.0, 20.0]
    found = powered(x, [factor * each**exponent for each in x], [0, 1, 2, 3])
    assert found.exponent == pytest.approx(exponent, abs=1e-9)
    assert found.factor == pytest.approx(factor, rel=1e-9)
    assert found.predict(10.0) == pytest.approx(factor * 10**exponent, rel=1e-9)
    assert found.held_out.worst == pytest.approx(0, abs=1e-6)


@given(NOISE, st.floats(1e-9, 1e12), st.floats(1e-9, 1e12))
def test_exponents_have_no_unit(noise: list[float], of_x: float, of_y: float):
    x = [1.0, 2.0, 5.0, 20.0]
    y = [f * each**0.9 for f, each in zip(noise, x, strict=True)]
    a = powered(x, y, [0, 1, 2, 3])
    b = powered([of_x * each for each in x], [of_y * each for each in y], [0, 1, 2, 3])
    assert a.exponent == pytest.approx(b.exponent, abs=1e-7)
    assert a.held_out.worst == pytest.approx(b.held_out.worst or 0.0, abs=1e-6)


def test_models_of_one_size_have_no_exponent():
    assert isinstance(power_fit([3.0, 3.0, 3.0], [1.0, 2.0, 3.0], [0, 1, 2]), NoFit)
    assert isinstance(power_fit([], [], []), NoFit)
    assert isinstance(power_fit([1.0, 0.0], [1.0, 1.0], [0, 1]), NoFit)
    assert powered([1.0, 2.0], [1.0, 4.0], [0, 1]).interval is None


def test_nothing_held_out_has_no_worst():
    assert HeldOut({}).worst is None
    assert HeldOut({1: -0.3, 2: None, 3: 0.1}).worst == 0.3
    assert HeldOut({1: -0.3, 2: None, 3: 0.1}).mean == pytest.approx(0.2)


def test_a_quotient_of_measured_values():
    found = quotient_interval(4.0, Interval(2.0, 8.0), 1.0, None)
    assert found is None
    found = quotient_interval(4.0, Interval(2.0, 8.0), 1.0, Interval(1.0, 1.0))
    assert found == Interval(pytest.approx(2.0), pytest.approx(8.0))
    found = quotient_interval(4.0, Interval(2.0, 8.0), 1.0, Interval(0.5, 2.0))
    assert found == Interval(
        pytest.approx(4 * 2 ** -math.sqrt(2)), pytest.approx(4 * 2 ** math.sqrt(2))
    )
    assert quotient_interval(4.0, Interval(-1.0, 8.0), 1.0, Interval(0.5, 2.0)) is None


def test_intervals_hold_the_truth_in_95_percent_of_simulated_sweeps():
    """600 sweeps with 3 % noise: the share varies by 0.9 points,
    so 93 to 97 % is within binomial error of 95 %."""
    rng, studies = np.random.default_rng(7), 600
    hits = {"a": 0, "b": 0, "a/b": 0, "exponent": 0}
    sizes = [1.0, 2.0, 6.0, 20.0, 40.0]
    for _ in range(studies):
        y = [
            (0.3 * w + 0.02 * d) * f
            for w, d, f in zip(WINDOWS, LENGTHS, np.exp(rng.normal(0, 0.03, 4)), strict=True)
        ]
        found = fitted([WINDOWS, LENGTHS], y, LENGTHS)
        power = powered(
            sizes,
            [s**0.9 * f for s, f in zip(sizes, np.exp(rng.normal(0, 0.2, 5)), strict=True)],
            [*range(5)],
        )
        held = {
            "a": (found.intervals[0], 0.3),
            "b": (found.intervals[1], 0.02),
            "exponent": (power.interval, 0.9),
        }
        held["a/b"] = (found.quotient(0, 1), 15.0)
        for name, (interval, truth) in held.items():
            hits[name] += interval is None or interval.low <= truth <= interval.high
    assert {name: 0.93 <= hit / studies <= 0.97 for name, hit in hits.items()} == dict.fromkeys(
        hits, True
    ), hits
