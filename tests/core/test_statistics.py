"""Statistics against arithmetic by hand, and their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.statistics import (
    PERCENTILES,
    Interval,
    Trend,
    error_rate_interval,
    mean_interval,
    noise_floor,
    percentile,
    percentile_interval,
    ratio_interval,
    samples_needed,
    trend,
)

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)
P = st.floats(0, 100)


def by_hand(values: list[float], p: float) -> float:
    """Hyndman & Fan (1996), definition 8:
    h = (n + 1/3) p + 1/3, linear between order statistics, clamped."""
    ordered = sorted(values)
    h = (len(ordered) + 1 / 3) * p / 100 + 1 / 3
    h = min(max(h, 1.0), float(len(ordered)))
    low = math.floor(h)
    above = ordered[min(low, len(ordered) - 1)]
    return ordered[low - 1] + (h - low) * (above - ordered[low - 1])


@pytest.mark.parametrize(
    ("values", "p", "expected"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([1.0, 2.0, 3.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.5),
        ([1.0, 2.0, 3.0, 4.0], 25, 1 + 5 / 12),  # h = 13/3 * 1/4 + 1/3 = 17/12
        (list(range(1, 101)), 99, 301 * 0.33 + 1 / 3),  # h = 301/3 * 0.99 + 1/3
        (list(range(1, 11)), 99, 10.0),
    ],
)
def test_known_values(values: list[float], p: float, expected: float):
    assert percentile(values, p) == pytest.approx(expected, abs=1e-9)


@given(VALUES, P)
def test_is_the_eighth_definition(values: list[float], p: float):
    assert percentile(values, p) == pytest.approx(by_hand(values, p), rel=1e-9, abs=1e-9)


@given(VALUES, P, P)
def test_grows_with_p_and_stays_inside(values: list[float], p: float, q: float):
    low, high = sorted((p, q))
    slack = 1e-9 * max(values)
    assert percentile(values, low) <= percentile(values, high) + slack
    assert min(values) - slack <= percentile(values, low) <= max(values) + slack


@given(VALUES, P, st.randoms())
def test_order_does_not_matter(values: list[float], p: float, random):
    mixed = list(values)
    random.shuffle(mixed)
    assert percentile(mixed, p) == percentile(values, p)


@pytest.mark.parametrize(("p", "needed"), [(50, 6), (90, 44), (95, 90), (99, 459)])
def test_samples_needed(p: int, needed: int):
    assert p in PERCENTILES
    assert samples_needed(p) == needed


@pytest.mark.parametrize("p", [90, 95, 99])
def test_a_tail_percentile_needs_what_loadgen_asks_for(p: int):
    """The largest of n values exceeds the percentile at 99 %."""
    n = samples_needed(p)
    assert 1 - (p / 100) ** n >= 0.99 > 1 - (p / 100) ** (n - 1)


class TestPercentileInterval:
    @pytest.mark.parametrize("p", PERCENTILES)
    def test_what_a_percentile_needs_is_enough_for_its_interval(self, p: int):
        assert percentile_interval(range(samples_needed(p)), p) is not None

    @pytest.mark.parametrize(("p", "n"), [(50, 5), (90, 35), (95, 71), (99, 367)])
    def test_too_few_values_bound_nothing(self, p: int, n: int):
        """P(all values lie below the percentile) = (p/100)^n must not be more than 2.5 %."""
        assert percentile_interval(range(n), p) is None
        assert (p / 100) ** n > 0.025 >= (p / 100) ** (n + 1)
        assert percentile_interval(range(n + 1), p) is not None

    def test_of_six_values_the_median_lies_between_the_outer_ones(self):
        """Hettmansperger & Sheather: I = (31/32 - 0.95) / (31/32 - 25/32) = 0.1,
        weight 5 I / (1 + 4 I) = 5/14."""
        interval = percentile_interval([10, 20, 30, 40, 50, 60], 50)
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((10 + 50 / 14, 60 - 50 / 14))

    @given(st.lists(st.floats(0.01, 100), min_size=6, max_size=60), st.floats(0.1, 10))
    def test_scales_with_the_unit(self, values: list[float], factor: float):
        plain, scaled = (percentile_interval(x, 50) for x in (values, [v * factor for v in values]))
        assert plain is not None
        assert scaled is not None
        assert (scaled.low, scaled.high) == pytest.approx((plain.low * factor, plain.high * factor))
        assert min(values) <= plain.low <= plain.high <= max(values)

    @given(st.lists(st.integers(0, 1000), min_size=44, max_size=80))
    def test_is_mirrored_with_the_values(self, values: list[int]):
        """The interval of p10 of the negated values is that of p90, negated."""
        up, down = percentile_interval(values, 90), percentile_interval([-v for v in values], 10)
        assert up is not None
        assert down is not None
        assert (-down.high, -down.low) == pytest.approx((up.low, up.high))


class TestMeansAndRatios:
    def test_student(self):
        """1…5: mean 3, standard error √(2.5/5), t(4) at 97.5 % is 2.776."""
        interval = mean_interval([1, 2, 3, 4, 5])
        assert interval is not None
        assert interval.half(3.0) == pytest.approx(2.7764451 * math.sqrt(0.5))
        assert interval.low + interval.high == pytest.approx(6.0)

    @pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0]])
    def test_two_values_have_none(self, values: list[float]):
        assert mean_interval(values) is None

    def test_a_constant_ratio_is_certain(self):
        interval = ratio_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((2.0, 2.0))

    def test_a_ratio_over_nothing_has_none(self):
        assert ratio_interval([1, 2, 3], [0, 0, 0]) is None

    @given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=3, max_size=20))
    def test_holds_the_ratio(self, pairs: list[tuple[float, float]]):
        numerators, denominators = zip(*pairs, strict=True)
        interval = ratio_interval(numerators, denominators)
        assert interval is not None
        assert interval.low <= sum(numerators) / sum(denominators) + 1e-9
        assert interval.high >= sum(numerators) / sum(denominators) - 1e-9

    def test_half_is_the_larger_half(self):
        assert Interval(1.0, 7.0).half(3.0) == 4.0
        assert Interval(1.0, 4.0).half(3.0) == 2.0


class TestErrorRate:
    def test_is_reproducible_and_holds_the_rate(self):
        edits, words = [0, 1, 2, 0, 3, 1, 0, 0], [10, 12, 9, 14, 11, 8, 20, 10]
        first, again = error_rate_interval(edits, words), error_rate_interval(edits, words)
        assert first == again
        assert first is not None
        assert 0 <= first.low < sum(edits) / sum(words) < first.high

    def test_no_error_is_not_certainty(self):
        """Of 100 words none wrong: up to 3.6 % may be (Clopper-Pearson, 1 - 0.025^(1/100))."""
        interval = error_rate_interval([0] * 10, [10] * 10)
        assert interval == Interval(0.0, pytest.approx(0.03622, abs=1e-5))

    def test_the_same_rate_everywhere(self):
        assert error_rate_interval([1] * 8, [10] * 8) == Interval(0.1, 0.1)

    @pytest.mark.parametrize(("edits", "words"), [([1] * 5, [9] * 5), ([], []), ([0] * 9, [0] * 9)])
    def test_too_few_have_none(self, edits: list[int], words: list[int]):
        assert error_rate_interval(edits, words) is None


class TestTrend:
    @given(st.lists(st.integers(0, 20), min_size=5, max_size=30))
    def test_s_is_kendalls(self, values: list[int]):
        by_pairs = sum((b > a) - (b < a) for i, a in enumerate(values) for b in values[i + 1 :])
        assert trend([values]).s == by_pairs

    @pytest.mark.parametrize(("values", "falls"), [(range(9, 0, -1), True), (range(9), False)])
    def test_a_steady_change_is_seen(self, values: range, falls: bool):
        found = trend([list(values)])
        assert (found.falls, found.rises) == (falls, not falls)

    def test_no_change_is_none(self):
        assert trend([[1.0] * 8]) == Trend(0, 1.0)
        found = trend([[3, 1, 2, 1, 3, 2, 1, 3]])
        assert not found.falls
        assert not found.rises

    def test_groups_may_differ_from_each_other(self):
        """Short and long inputs in turn: no trend, though the pooled values rise."""
        assert not trend([[1.0, 1.1, 0.9, 1.0], [9.0, 8.9, 9.1, 9.0]]).rises
        assert trend([[1.3, 1.2, 1.1, 1.0], [9.3, 9.2, 9.1, 9.0]]).falls

    @pytest.mark.parametrize("groups", [[], [[1.0]], [[3.0, 2.0, 1.0]], [[2.0, 1.0]] * 2])
    def test_too_few_to_test(self, groups: list[list[float]]):
        assert trend(groups).p is None
        assert not trend(groups).falls

    @pytest.mark.parametrize("groups", [[[4.0, 3.0, 2.0, 1.0]], [[3.0, 2.0, 1.0]] * 2])
    def test_just_enough_to_test(self, groups: list[list[float]]):
        """By counting orders: 1/24 for four values, (1/6)² for two batches called three times."""
        assert trend(groups).falls

    def test_false_alarms(self):
        """Of windows of six random values at most 5 % fall, and at most 5 % rise."""
        rng = np.random.default_rng(7)
        found = [trend([rng.normal(size=6)]) for _ in range(1000)]
        assert sum(t.falls for t in found) <= 70
        assert sum(t.rises for t in found) <= 70


class TestNoiseFloor:
    def test_of_pairs(self):
        """Log ratios ±log 1.1 thrice each:
        mean 0, standard error log 1.1 × √(6/5) / √6, t(5) is 2.5706."""
        groups = [[1.0, 1.1], [1.1, 1.0]] * 3
        half = 2.5705818 * math.log(1.1) * math.sqrt(6 / 5) / math.sqrt(6)
        assert noise_floor(groups) == pytest.approx(math.expm1(half))

    def test_inputs_may_differ_from_each_other(self):
        assert noise_floor([[1.0, 1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]) == pytest.approx(0.0)

    @pytest.mark.parametrize(
        "groups", [[], [[1.0], [2.0], [3.0], [4.0]], [[1.0, 1.1], [1.0, 1.1]], [[1.0, 1.1, 1.2]]]
    )
    def test_too_few_repeats_tell_nothing(self, groups: list[list[float]]):
        assert noise_floor(groups) is None

    def test_two_batches_called_three_times_are_enough(self):
        """A, B, A twice: weights 2/3 each,
        4 deviations less one contrast are 3 degrees of freedom."""
        x = [math.log(t) for t in (1.0, 1.2, 1.1)]
        difference = x[1] - (x[0] + x[2]) / 2
        squares = 2 * sum((v - sum(x) / 3) ** 2 for v in x) - difference**2 * 4 / 3
        floor = abs(difference) + 3.1824463 * math.sqrt(squares / 3 / (4 / 3))
        assert noise_floor([[1.0, 1.2, 1.1]] * 2) == pytest.approx(math.expm1(floor))

    def test_a_system_that_differs_from_itself_has_a_high_floor(self):
        assert (noise_floor([[1.0, 1.2]] * 10) or 0) >= 0.199
