"""How figures are written: digits, units, intervals and the reasons of missing ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import TINY, WAV2VEC2, record

from asr_scaling.analysis.format import (
    at_length,
    duration,
    percent,
    plain,
    size,
    speech,
    with_interval,
)
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import Interval
from asr_scaling.report.cells import (
    batch_cell,
    count,
    figure,
    latency,
    length_cell,
    missing,
    ratio,
    wer,
)

values = st.floats(min_value=1e-4, max_value=1e8)
POINT = to_point(record(TINY, 15.0, 4))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (5.0, "5.00"),
        (0.0512, "0.0512"),
        (518.3, "518"),
        (16231.5, "16,232"),
        (9.999, "10.0"),
        (-3.2, "-3.20"),
        (1e-5, "1.00e-05"),
        (math.inf, "–"),
        (math.nan, "–"),
    ],
)
def test_three_digits_and_whole_thousands_in_full(value: float, text: str) -> None:
    assert plain(value) == text


@given(values, st.integers(min_value=2, max_value=6))
def test_what_is_written_is_the_value_to_so_many_digits(value: float, digits: int) -> None:
    shown = float(plain(value, digits).replace(",", ""))
    assert abs(shown - value) <= 0.5000001 * 10 ** (1 - digits) * 10 ** math.floor(
        math.log10(shown)
    )


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
def test_an_interval_decides_the_digits(
    value: float, interval: Interval | None, factor: float, text: str
) -> None:
    assert with_interval(value, interval, factor) == text


@given(values, st.floats(min_value=1e-3, max_value=10))
def test_value_and_interval_have_the_same_decimals(value: float, share: float) -> None:
    shown, _, half = with_interval(
        value, Interval(value * (1 - share), value * (1 + share))
    ).partition(" ± ")
    assert len(shown.partition(".")[2]) == len(half.partition(".")[2])
    assert float(half.replace(",", "")) == pytest.approx(value * share, rel=0.06, abs=0.5)


def test_a_cell_sorts_by_its_figure_and_tells_its_interval() -> None:
    cell = figure(POINT, "throughput/rtfx")
    assert cell.sort == POINT.values["throughput/rtfx"]
    assert figure(POINT, "energy/per_sample_j", 10).sort == pytest.approx(
        10 * POINT.values["energy/per_sample_j"]
    )
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
        (percent(0.0493), "4.93 %"),
        (size(474_853_376), "475 MB"),
        (size(1.5e9), "1.50 GB"),
        (size(12), "12.0 B"),
        (duration(0.5183), "518 ms"),
        (duration(1.234), "1.23 s"),
        (duration(300), "5.00 min"),
    ],
)
def test_units_are_chosen_for_the_size(text: str, expected: str) -> None:
    assert text == expected


def rated(value: float, interval: Interval | None) -> Point:
    return replace(
        POINT,
        values={"throughput/rtfx": value},
        intervals={"throughput/rtfx": interval} if interval else {},
    )


@given(
    st.floats(0.1, 1e3),
    st.floats(0.1, 1e3),
    st.floats(1e-3, 0.9),
    st.floats(1e-3, 0.9),
    st.floats(1e-3, 0.9),
)
def test_an_intervals_quotient_is_between_that_of_either_and_the_worst_case(
    a: float, b: float, x: float, y: float, z: float
) -> None:
    top, bottom = (
        rated(a, Interval(a * (1 - x), a * (1 + y))),
        rated(b, Interval(b * (1 - z), b * (1 + x))),
    )
    found = ratio(top, bottom, "throughput/rtfx")
    low, high = (
        float(part.replace(",", ""))
        for part in found.note[len("95 % interval: ") : -1].split(" to ")
    )
    assert found.sort == pytest.approx(a / b)
    slack = 1.01  # ends are written with three digits
    assert (1 - x) / (1 + x) / slack <= low * b / a <= min(1 - x, 1 / (1 + x)) * slack
    assert max(1 + y, 1 / (1 - z)) / slack <= high * b / a <= (1 + y) / (1 - z) * slack


def test_a_ratio_says_why_it_has_no_interval_or_no_value() -> None:
    sure, unsure = rated(4.0, Interval(3.0, 5.0)), rated(2.0, None)
    assert ratio(sure, unsure, "throughput/rtfx", 100) == ratio(
        unsure, rated(1.0, None), "throughput/rtfx", 100
    )
    assert ratio(sure, sure, "throughput/rtfx").text == "1.00"
    assert ratio(sure, POINT, "peak/unheard_of") == missing("not measured in this sweep")
    failed = replace(POINT, status="failed", reason="no disk", values={})
    for pair in ((failed, sure), (sure, failed)):
        assert ratio(*pair, "throughput/rtfx") == missing("failed: no disk")
    assert ratio(sure, rated(0.0, None), "throughput/rtfx") == missing("one of the two is 0")


def test_what_a_row_is_about() -> None:
    natural, unknown = replace(POINT, length_s=None), replace(POINT, batch=0, status="failed")
    assert [(cell.text, cell.sort) for cell in map(length_cell, (POINT, natural))] == [
        ("15", 15.0),
        ("natural", None),
    ]
    assert [(cell.text, cell.sort) for cell in map(batch_cell, (POINT, unknown))] == [
        ("4", 4),
        ("–", None),
    ]
    assert batch_cell(unknown).note == "failed before its batch was known"
    assert (count(12345).text, count(12345).sort) == ("12,345", 12345)
    assert [at_length(length) for length in (2.5, None)] == ["at 2.5 s", "at natural lengths"]
    assert [speech(length) for length in (2.5, None)] == [
        "fragments of 2.5 s",
        "natural utterances",
    ]


def test_a_wer_or_why_there_is_none() -> None:
    assert wer(POINT).text == "4.9 ± 1.5"
    assert wer(to_point(record(WAV2VEC2, 15.0, 4))) == missing("random weights")
    assert wer(replace(POINT, values={}, unavailable={"quality/wer": "no references"})) == missing(
        "no references"
    )


def test_cer_stands_where_a_script_has_no_spaces() -> None:
    found = record(TINY, 15.0, 4)
    metrics = (*found.metrics, Metric("quality/cer", 0.071, 16, Interval(0.06, 0.08)))
    tags = {**found.tags, "quality/headline": "cer"}
    assert wer(to_point(replace(found, metrics=metrics, tags=tags))).text == "CER 7.1 ± 1.1"
    assert not wer(POINT).text.startswith("CER")
