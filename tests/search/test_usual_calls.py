"""A call that took longer than the others of its trial lead to expect counts with a limit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.search.usual_calls import log_totals

LENGTHS = {"a": 1.0, "b": 3.0, "c": 5.0, "d": 8.0, "e": 12.0}
SECONDS = st.dictionaries(st.sampled_from("abcde"), st.floats(0.01, 100), min_size=5, max_size=5)


def trial(factor: float, **other: float) -> dict[str, float]:
    """Calls as long as their utterances, but for some."""
    return {call: factor * length for call, length in {**LENGTHS, **other}.items()}


def test_calls_as_usual_count_in_full():
    trials = [trial(1.0), trial(0.5), trial(0.5, a=1.4), trial(2.0, e=17.0)]
    expected = [math.log(math.fsum(one.values())) for one in trials]
    assert log_totals(trials) == pytest.approx(expected)


def test_one_that_took_far_longer_counts_as_half_as_long_again():
    trials = [trial(1.0), trial(1.0), trial(0.5), trial(0.5, a=20.0)]
    *usual, mishap = log_totals(trials)
    assert mishap == pytest.approx(math.log(math.fsum(trial(0.5, a=1.5).values())))
    assert usual == pytest.approx([math.log(29), math.log(29), math.log(14.5)])


def test_one_that_was_faster_counts_in_full():
    assert log_totals([trial(1.0), trial(1.0), trial(1.0, e=2.0)])[2] == pytest.approx(math.log(19))


@given(SECONDS)
def test_alone_there_is_nothing_usual(seconds: dict[str, float]):
    assert log_totals([seconds]) == pytest.approx([math.log(math.fsum(seconds.values()))])


@given(st.lists(SECONDS, min_size=1, max_size=6), st.floats(0.1, 10))
def test_a_trial_is_never_slower_than_it_was_and_follows_its_own_speed(
    trials: list[dict[str, float]], factor: float
):
    found = log_totals(trials)
    for one, total in zip(trials, found, strict=True):
        assert total <= math.log(math.fsum(one.values())) + 1e-9
    faster = [{call: s * factor for call, s in trials[0].items()}, *trials[1:]]
    assert log_totals(faster)[0] == pytest.approx(found[0] + math.log(factor))
    assert log_totals(faster)[1:] == pytest.approx(found[1:])
