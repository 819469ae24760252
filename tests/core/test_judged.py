"""Which value of a metric systems are ranked by: at the usual state, where that is known."""

from __future__ import annotations

import pytest

from asr_scaling.core.energy_methods import GUESSED, MEASURED
from asr_scaling.core.judged import differs, judged, stated, usual
from asr_scaling.core.statistics import Interval

VALUES = {
    "throughput/rtfx": 10.0,
    "usual/throughput/rtfx": 12.5,
    "throughput/samples_per_s": 2.0,
    "latency/p95_s": 0.9,
    "energy/per_sample_j": 5.0,
}
INTERVALS = {"throughput/rtfx": Interval(9.5, 10.5), "usual/throughput/rtfx": Interval(12.0, 13.0)}


def test_the_figure_at_the_usual_state_counts_with_its_own_interval():
    assert stated("throughput/rtfx", VALUES, INTERVALS) == (12.5, Interval(12.0, 13.0))


def test_what_has_none_counts_as_it_was():
    assert stated("latency/p95_s", VALUES, INTERVALS) == (0.9, None)
    assert usual("latency/p95_s", VALUES, INTERVALS) is None
    assert stated("latency/p99_s", VALUES, INTERVALS) is None


def test_utterances_a_second_follow_audio_seconds_a_second():
    """Both are sums over the same calls, over the same seconds."""
    value, interval = usual("throughput/samples_per_s", VALUES, INTERVALS) or (0.0, None)
    assert value == pytest.approx(2.5)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2.4, 2.6))


def test_a_figure_at_the_usual_state_without_the_measured_one_is_none():
    assert usual("latency/p50_s", {"usual/latency/p50_s": 0.5}, {}) is None


@pytest.mark.parametrize(("method", "known"), [(MEASURED, True), (GUESSED, False)])
def test_what_is_judged_has_no_guessed_joules(method: str, known: bool):
    found = judged({"energy/method": method}, VALUES)
    assert found["throughput/rtfx"] == 12.5
    assert ("energy/per_sample_j" in found) is known


@pytest.mark.parametrize(
    ("raw", "at_usual", "differ"),
    [
        ((9.5, 10.5), (12.0, 13.0), True),
        ((7.0, 13.0), (12.0, 13.0), False),  # what was measured allows for the other
        ((9.5, 10.5), (9.9, 15.0), False),
        ((9.5, 11.5), (11.0, 14.0), True),  # the two overlap, and neither holds the other's value
    ],
)
def test_two_figures_differ_where_neither_interval_holds_the_other(
    raw: tuple[float, float], at_usual: tuple[float, float], differ: bool
):
    ends = {"throughput/rtfx": Interval(*raw), "usual/throughput/rtfx": Interval(*at_usual)}
    assert (differs("throughput/rtfx", VALUES, ends) is not None) is differ


def test_without_an_interval_nothing_is_said_to_differ():
    assert differs("throughput/rtfx", VALUES, {}) is None
    assert differs("latency/p95_s", VALUES, INTERVALS) is None
