"""Speech of several people at once, and the floor that it sets to DER."""

from __future__ import annotations

import pytest
from hypothesis import given
from support.turn_lists import LENGTH_S, grid_turns, recording, turns, values

from asr_scaling.core.turns import Turn
from asr_scaling.profiler._turns.overlap import measured, overlap_cautions, seconds_by_number

TWO_AT_ONCE = turns((0, 4, "a"), (3, 6, "b"), (8, 9, "a"))
"""7 s of speech, 8 s of speakers, 1 s of both."""


def test_shares_by_hand():
    figures = values(measured([recording(TWO_AT_ONCE, ())]))
    assert figures["turns/overlap_share"] == pytest.approx(1 / 7)
    assert figures["turns/der_floor"] == pytest.approx(1 / 8)


def test_one_person_does_not_overlap_with_himself():
    figures = values(measured([recording(turns((0, 4, "a"), (3, 6, "a")), ())]))
    assert figures == {"turns/overlap_share": 0, "turns/der_floor": 0}


def test_references_without_names_say_nothing():
    figures = measured([recording(turns((0, 4, None), (3, 6, None)), ())])
    assert set(figures.values()) == {"no reference names its speakers"}


def test_a_system_of_one_speaker_at_a_time_is_told_its_floor():
    one = [recording(TWO_AT_ONCE, turns((0, 4, "x"), (4, 6, "y")))]
    (told,) = overlap_cautions(one, measured(one))
    assert told.kind == "OverlappingSpeech"
    assert "In 14.3% of the references' speech" in told.message
    assert "can't be below 12.5%" in told.message
    several = [recording(TWO_AT_ONCE, turns((0, 4, "x"), (3, 6, "y")))]
    assert overlap_cautions(several, measured(several)) == ()
    alone = [recording(turns((0, 4, "a")), turns((0, 4, "x")))]
    assert overlap_cautions(alone, measured(alone)) == ()


@given(grid_turns(least=1))
def test_seconds_by_number_are_those_of_a_grid(found: tuple[Turn, ...]):
    active = [{t.speaker for t in found if t.start_s <= s < t.end_s} for s in range(LENGTH_S)]
    numbers = seconds_by_number(found)
    for number in range(1, 4):
        counted = sum(len(names) == number for names in active)
        assert (numbers[number] if number < len(numbers) else 0) == counted
