"""How figures are written: digits, units, intervals and the reasons of missing ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import TINY, record

from asr_scaling.report.cells import duration, figure, latency, missing, percent, plain, size, with_interval
from asr_scaling.report.points import to_point
from asr_scaling.stats import Interval

values = st.floats(min_value=1e-4, max_value=1e8)
POINT = to_point(record(TINY, 15.0, 4))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (5.0, "5.00"), (0.0512, "0.0512"), (518.3, "518"), (16231.5, "16,232"), (9.999, "10.0"),
        (-3.2, "-3.20"), (1e-5, "1.00e-05"), (math.inf, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_three_digits_and_whole_thousands_in_full(value: float, text: str) -> None:
    assert plain(value) == text


@given(values, st.integers(min_value=2, max_value=6))
def test_what_is_written_is_the_value_to_so_many_digits(value: float, digits: int) -> None:
    shown = float(plain(value, digits).replace(",", ""))
    assert abs(shown - value) <= 0.5000001 * 10 ** (1 - digits) * 10 ** math.floor(math.log10(shown))


@pytest.mark.parametrize(
    ("value", "interval", "factor", "text"),
    [
        (0.518, Interval(0.469, 0.56), 1000, "518 ± 49"),
        (0.0493, Interval(0.03, 0.064), 100, "4.9 ± 1.9"),
        (939, Interval(885, 1297), 1, "939 ± 358"),
        (12.3456, Interval(12.3446, 12.3466), 1, "12.346 ± 0.001"),
        (0.0, Interval(0.0, 0.0123), 100, "0.0 ± 1.2"),
        (1.0, Interval(1.0, 1.0), 1, "1.00"),
        (1.0, None, 1, "1.00"),
        (1.0, Interval(1 - 1e-12, 1 + 1e-12), 1, "1.00"),
    ],
)
def test_an_interval_decides_the_digits(value: float, interval: Interval | None, factor: float, text: str) -> None:
    assert with_interval(value, interval, factor) == text


@given(values, st.floats(min_value=1e-3, max_value=10))
def test_value_and_interval_have_the_same_decimals(value: float, share: float) -> None:
    shown, _, half = with_interval(value, Interval(value * (1 - share), value * (1 + share))).partition(" ± ")
    assert len(shown.partition(".")[2]) == len(half.partition(".")[2])
    assert float(half.replace(",", "")) == pytest.approx(value * share, rel=0.06, abs=0.5)


def test_a_cell_sorts_by_its_figure_and_tells_its_interval() -> None:
    cell = figure(POINT, "throughput/rtfx")
    assert cell.sort == POINT.values["throughput/rtfx"]
    assert figure(POINT, "energy/per_sample_j", 10).sort == pytest.approx(10 * POINT.values["energy/per_sample_j"])
    assert figure(POINT, "energy/per_sample_j").note.startswith("95 % interval: ")


def test_a_missing_figure_has_its_reason() -> None:
    assert figure(POINT, "latency/p95_s") == missing("8 calls can't bound it, 90 can: " + _advice())
    assert figure(POINT, "peak/unheard_of").note == "not measured in this sweep"
    failed = replace(POINT, status="out_of_memory", reason="12 GB were not enough", values={})
    assert figure(failed, "latency/p50_s").note == "out of memory: 12 GB were not enough"
    assert missing("why").sort is None


def _advice() -> str:
    return POINT.unavailable["latency/p95_s"].partition(": ")[2]


def test_latency_of_three_calls_is_their_mean_and_says_so() -> None:
    few = to_point(record(TINY, 15.0, 4, calls=3))
    assert latency(few).text == "1,850"
    assert "The mean: 3 calls can't bound it" in latency(few).note
    assert "The mean" not in latency(POINT).note


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(0.0493), "4.93 %"), (size(474_853_376), "475 MB"), (size(1.5e9), "1.50 GB"), (size(12), "12.0 B"),
        (duration(0.5183), "518 ms"), (duration(1.234), "1.23 s"), (duration(300), "5.00 min"),
    ],
)  # fmt: skip
def test_units_are_chosen_for_the_size(text: str, expected: str) -> None:
    assert text == expected
