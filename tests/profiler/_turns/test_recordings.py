"""Ratios over recordings: their sums, and when they have an interval."""

from __future__ import annotations

import math

import pytest
from support.turn_lists import turns

from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import ratio_interval
from asr_scaling.profiler._turns.recordings import Recording, by_speaker, inside, ratio

NAME = "turns/der"


def of(parts: list[tuple[str, float, float]], most: float = math.inf) -> Metric:
    found = ratio(NAME, parts, "nothing", most)
    assert isinstance(found, Metric)
    return found


def test_sums_are_divided_not_ratios_averaged():
    found = of([("a", 1.0, 1.0), ("b", 0.0, 9.0)])
    assert (found.value, found.n, found.interval) == (0.1, 2, None)


def test_without_a_denominator_there_is_a_reason():
    assert ratio(NAME, [("a", 1.0, 0.0)], "nobody speaks") == "nobody speaks"
    assert ratio(NAME, [], "nobody speaks") == "nobody speaks"


def test_three_recordings_have_an_interval_that_stays_where_the_ratio_can_be():
    found = of([("a", 9.0, 10.0), ("b", 10.0, 10.0), ("c", 10.0, 10.0)], most=1.0)
    plain = ratio_interval([9.0, 10.0, 10.0], [10.0] * 3)
    assert plain is not None
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (plain.low, 1.0)
    low = of([("a", 1.0, 10.0), ("b", 0.0, 10.0), ("c", 0.0, 10.0)])
    assert low.interval is not None
    assert low.interval.low == 0


@pytest.mark.parametrize("wrong", [0.0, 0.1])
def test_recordings_with_the_same_ratio_have_none(wrong: float):
    assert of([(key, wrong * n, float(n)) for n, key in enumerate("abcdef", 1)]).interval is None


def test_a_recording_and_its_copies_are_one():
    parts = [("a", 1.0, 10.0), ("b", 0.0, 10.0), ("c", 2.0, 10.0)]
    copied = [(f"{key}~slower", *pair) for key, *pair in parts]
    assert of([*parts, *copied]).interval == of(parts).interval is not None
    assert of([("a", 1.0, 10.0), ("a~slower", 0.0, 10.0), ("b", 2.0, 10.0)]).interval is None


def test_turns_end_with_the_recording():
    found = inside(turns((1, 4, "a"), (3, 9, "b"), (7, 8, "c")), 5.0)
    assert [(turn.start_s, turn.end_s) for turn in found] == [(1, 4), (3, 5.0)]


def test_turns_of_nobody_known_are_one_speakers():
    found = by_speaker(turns((0, 1, "a"), (1, 2, None), (2, 3, "a"), (3, 4, None)))
    assert [[turn.start_s for turn in own] for own in found] == [[0, 2], [1, 3]]


def test_whether_a_reference_names_its_speakers():
    assert Recording("r", 5.0, turns((0, 1, "a"))).names_speakers
    assert not Recording("r", 5.0, turns((0, 1, "a"), (1, 2, None))).names_speakers
