"""A single process's intervals: what they are of, and how the machine's spread widens them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import ASSUMED, Spread, of_certificate, spread_of, with_spread
from asr_scaling.core.statistics import Interval, student
from asr_scaling.core.time_intervals import INTERVAL_OF, of_one_process, stages_within, widened

SPREAD = Spread(0.031, 0.012, 5.0, source="self-test of 2026-11-29 22:10 UTC")
CALL = Sample(("a",), 1.0, 1.0, 0.1, {})


def metric(name: str, value: float = 0.5, half: float = 0.01, n: int | None = 10) -> Metric:
    return Metric(name, value, n, Interval(value - half, value + half))


def record(*metrics: Metric, known: Spread | None = SPREAD, **config: Any) -> RunRecord:
    environment = with_spread({"host": "here"}, known) if known else {"host": "here"}
    return RunRecord("a", "ok", config, environment, samples=(CALL,), metrics=metrics)


def test_errors_within_and_between_processes_add_up() -> None:
    found = widened(metric("latency/mean_s"), SPREAD).interval
    assert found is not None
    within, between = 0.01 / 0.5 / student(9), 0.031
    variance = within**2 + between**2
    freedom = variance**2 / (between**4 / 5)  # Satterthwaite; that within is taken as known
    half = student(freedom) * math.sqrt(variance)
    assert math.log(found.high / 0.5) == pytest.approx(half, rel=1e-6)
    assert math.log(found.low / 0.5) == pytest.approx(-half, rel=1e-6)


@given(
    value=st.floats(1e-4, 1e3),
    share=st.floats(0.0, 0.9),
    spread=st.floats(1e-4, 0.5),
    n=st.integers(2, 500),
)
def test_a_widened_interval_holds_the_one_within(
    value: float, share: float, spread: float, n: int
) -> None:
    own = metric("latency/p50_s", value, value * share, n)
    found = widened(own, Spread(spread)).interval
    assert found is not None
    assert own.interval is not None
    assert found.low <= own.interval.low <= own.interval.high <= found.high
    assert 0 < found.low <= value * math.exp(-1.9 * spread)
    assert found.high >= value * math.exp(1.9 * spread)


@pytest.mark.parametrize(
    "name",
    [
        "latency/p50_s",
        "latency_per_utterance/mean_s",
        "stage/encoder_s",
        "throughput/rtfx",
        "decoder/step_s",
        "energy/per_sample_j",
        "energy/net_per_audio_second_j",
        "utilisation/mfu_encoder",
    ],
)
def test_what_follows_time_is_widened(name: str) -> None:
    (found,) = of_one_process(record(metric(name))).metrics
    assert found.interval is not None
    assert found.interval.high > 0.51


@pytest.mark.parametrize(
    "name",
    [
        "quality/wer",
        "memory/peak_rss_bytes",
        "workload/tokens_per_s",
        "latency/p99_over_p50",
        "energy/window_s",
        "energy/power_w",
        "decoder/uncached_ratio",
    ],
)
def test_what_does_not_stays(name: str) -> None:
    assert of_one_process(record(metric(name))).metrics == (metric(name),)


def test_figures_without_an_interval_stay_without() -> None:
    bare = (Metric("latency/p50_s", 0.5, 1), Metric("latency/p50_precision", 0.02, 9))
    assert of_one_process(record(*bare)).metrics == bare


def test_the_tag_says_what_the_interval_is_of() -> None:
    own = metric("latency/p50_s")
    assert of_one_process(record(own)).tags[INTERVAL_OF] == (
        "this process; widened by this machine's spread between processes of 3.1 % "
        "(self-test of 2026-11-29 22:10 UTC)"
    )
    for plain in (record(own, known=None), record(own, sweep={"round": 0})):
        assert of_one_process(plain) == replace(plain, tags={INTERVAL_OF: "this process"})


def test_stages_are_compared_by_the_calls_alone() -> None:
    calls = tuple(replace(CALL, stages={"encoder": 0.1 + i / 100}) for i in range(3))
    found = of_one_process(replace(record(metric("stage/encoder_s", 0.11)), samples=calls))
    half = student(2) * 0.01 / math.sqrt(3)
    within = stages_within(found)["stage/encoder_s"]
    assert (within.low, within.high) == pytest.approx((0.11 - half, 0.11 + half))
    assert stages_within(replace(found, tags={})) == {}


def test_a_point_that_timed_nothing_has_no_such_tag() -> None:
    failed = replace(record(), samples=(), status="failed")
    assert of_one_process(failed) == failed


def test_what_a_certificate_says_of_the_spread() -> None:
    measured = {"sd": 0.03, "freedom": 5.0, "at": "2026-11-29T22:10:05+00:00"}
    found = of_certificate({"at": "2026-11-29T20:00:00+00:00", "between_processes": measured})
    assert found == Spread(0.03, None, 5.0, None, "self-test of 2026-11-29 22:10 UTC")
    assert spread_of(with_spread({}, found)) == found


@pytest.mark.parametrize(
    "certificate", [{}, {"between_processes": 5}, {"between_processes": {"sd": "much"}}]
)
def test_a_certificate_that_says_nothing_leaves_it_assumed(certificate: dict[str, Any]) -> None:
    assert of_certificate(certificate) is None
    assert spread_of({"certificate": certificate}) == ASSUMED
