"""Percentiles and the number of values behind them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.stats import PERCENTILES, percentile, samples_needed

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)
P = st.floats(0, 100)


def by_hand(values: list[float], p: float) -> float:
    """Hyndman & Fan (1996), definition 8: h = (n + 1/3) p + 1/3, linear between order statistics, clamped."""
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


@pytest.mark.parametrize(("p", "needed"), [(50, 5), (90, 29), (95, 59), (99, 299)])
def test_samples_needed(p: int, needed: int):
    assert p in PERCENTILES
    assert samples_needed(p) == needed
    assert 1 - (p / 100) ** needed >= 0.95 > 1 - (p / 100) ** (needed - 1)


def test_more_confidence_needs_more_values():
    assert samples_needed(99, 0.99) == 459
