"""Misses and false alarms, by hand and for any turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from support.turn_lists import LENGTH_S, grid_turns, recording, turns, values

from asr_scaling.core.turns import Turn
from asr_scaling.profiler._turns.recordings import Recording
from asr_scaling.profiler._turns.voice_activity import METRICS, Activity, activity, measured

Turns = tuple[Turn, ...]


def test_seconds_by_hand():
    """People speak from 1 to 5 s, two of them from 3 to 4; found: 2 to 6, and 9.5 to the end."""
    reference = turns((1, 4, "a"), (3, 5, "b"))
    found = turns((2, 3, "x"), (2.5, 6, "y"), (9.5, 12, "x"))
    one = Recording("r", 10.0, reference, found)
    assert activity(one) == Activity(speech_s=4.0, silence_s=6.0, miss_s=1.0, false_alarm_s=1.5)
    figures = values(measured([one]))
    assert figures["turns/vad_miss_share"] == 0.25
    assert figures["turns/vad_false_alarm_share"] == 0.25
    seconds = [figures[f"turns/{name}_s"] for name in ("speech", "silence", "vad_miss")]
    assert (seconds, figures["turns/vad_false_alarm_s"]) == ([4.0, 6.0, 1.0], 1.5)
    assert set(figures) == set(METRICS)


def test_recordings_are_summed():
    """1 of 4 s is missed in one, 0 of 16 s in another: 5 %, not the mean of 25 % and 0 %."""
    some = Recording("a", 10.0, turns((0, 4, "a")), turns((1, 4, None)))
    more = Recording("b", 20.0, turns((0, 16, "a")), turns((0, 16, None)))
    assert values(measured([some, more]))["turns/vad_miss_share"] == pytest.approx(0.05)


def test_where_somebody_speaks_all_the_time_there_is_no_false_alarm():
    figures = measured([Recording("r", 4.0, turns((0, 4, "a")), turns((0, 4, None)))])
    assert figures["turns/vad_false_alarm_share"] == "somebody speaks all the time"
    assert values(figures)["turns/vad_miss_share"] == 0


def test_what_rounding_leaves_is_no_silence():
    tenths = turns(*((i * 0.1, (i + 1) * 0.1, "a") for i in range(30)))
    figures = measured([Recording("r", 3.0000000001, tenths, tenths)])
    assert figures["turns/vad_false_alarm_share"] == "somebody speaks all the time"


def test_a_system_that_finds_nothing_misses_all():
    assert values(measured([recording(turns((0, 4, "a")), ())]))["turns/vad_miss_share"] == 1


@given(grid_turns())
def test_what_is_found_right_has_no_error(reference: Turns):
    done = activity(recording(reference, reference))
    assert (done.miss_s, done.false_alarm_s) == (0, 0)


@given(grid_turns(), grid_turns())
def test_seconds_are_those_of_a_grid(reference: Turns, found: Turns):
    """Whole seconds can be counted one by one."""
    spoken, heard = (
        {s for s in range(LENGTH_S) for t in some if t.start_s <= s < t.end_s}
        for some in (reference, found)
    )
    assert activity(recording(reference, found)) == Activity(
        len(spoken), LENGTH_S - len(spoken), len(spoken - heard), len(heard - spoken)
    )
