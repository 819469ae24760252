"""Two systems on the same speech: changes by hand, their signs and their symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.analysis.paired_tests import mean_change, rate_change, time_changes

TIMES = st.lists(st.lists(st.floats(0.01, 100), min_size=2, max_size=2), min_size=6, max_size=12)


def test_a_uniform_slowdown_is_certain():
    a = [[1.0], [2.0], [4.0], [1.5], [3.0], [2.5]]
    longer, faster = time_changes(a, [[1.2 * t for t in block] for block in a])
    assert (longer.value, faster.value) == pytest.approx((0.2, 1 / 1.2 - 1))
    assert longer.interval is not None
    assert (longer.interval.low, longer.interval.high) == pytest.approx((0.2, 0.2))


def test_time_is_the_geometric_mean_and_speed_the_ratio_of_totals():
    a, b = [[1.0]] * 6, [[2.0]] * 3 + [[0.5]] * 3
    longer, faster = time_changes(a, b)
    assert longer.value == pytest.approx(0.0)
    assert faster.value == pytest.approx(6.0 / 7.5 - 1)


@given(TIMES)
def test_a_system_does_not_differ_from_itself(a: list[list[float]]):
    for change in time_changes(a, a):
        assert change.value == pytest.approx(0.0)
        assert change.interval is not None
        assert change.interval.low <= 1e-9
        assert change.interval.high >= -1e-9


@given(TIMES, TIMES)
def test_swapping_inverts(a: list[list[float]], b: list[list[float]]):
    n = min(len(a), len(b))
    there, back = time_changes(a[:n], b[:n])[0], time_changes(b[:n], a[:n])[0]
    assert 1 + there.value == pytest.approx(1 / (1 + back.value))


def test_few_blocks_are_judged_by_their_repeats():
    rng = np.random.default_rng(3)
    a = [list(rng.lognormal(0, 0.02, 6))]
    longer, _ = time_changes(a, [[2 * t for t in rng.permutation(a[0])]])
    assert longer.interval is not None
    assert 0.9 < longer.interval.low < 1.0 < longer.interval.high < 1.1


def test_few_blocks_and_few_repeats_tell_nothing():
    assert [change.interval for change in time_changes([[1.0, 1.1]] * 2, [[2.0, 2.1]] * 2)] == [
        None,
        None,
    ]


class TestMeans:
    def test_of_equal_windows(self):
        change = mean_change([2.0, 2.0, 2.0], [3.0, 3.0, 3.0])
        assert change.value == 0.5
        assert change.interval is not None
        assert change.interval.low == change.interval.high == 0.5

    def test_welch_by_hand(self):
        """Logs 0, ±0.1 and 1, 1 ± 0.1: difference 1, standard error √(2 × 0.01/3),
        4 degrees of freedom."""
        a, b = [math.exp(x) for x in (-0.1, 0.0, 0.1)], [math.exp(x) for x in (0.9, 1.0, 1.1)]
        change = mean_change(a, b)
        half = 2.7764451 * math.sqrt(2 * 0.01 / 3)
        assert change.interval is not None
        assert change.interval.low == pytest.approx(math.expm1(1 - half))

    def test_two_windows_tell_nothing(self):
        assert mean_change([1.0, 2.0], [3.0, 4.0, 5.0]).interval is None


class TestRates:
    def test_is_a_difference_of_summed_edits(self):
        change = rate_change([1, 0, 0, 2, 0, 0], [1, 1, 0, 3, 0, 0], [10] * 6)
        assert change.value == pytest.approx(2 / 60)
        assert change.interval is not None
        assert change.interval.low <= change.value <= change.interval.high

    def test_the_same_texts_do_not_differ(self):
        change = rate_change([1, 2, 0, 4, 0, 1], [1, 2, 0, 4, 0, 1], [5, 6, 7, 8, 9, 10])
        assert change.interval is not None
        assert (change.value, change.interval.low, change.interval.high) == (0, 0, 0)

    def test_five_utterances_tell_nothing(self):
        assert rate_change([1] * 5, [0] * 5, [9] * 5).interval is None
