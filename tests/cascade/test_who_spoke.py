from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.cascade.segments import Segment
from asr_scaling.cascade.who_spoke import Window, turns, windows
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance


def segment(start_s: float, seconds: float) -> Segment:
    audio = np.ones(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
    return Segment(0, start_s, Utterance("r#0", audio, ""))


def test_windows_cover_a_segment_to_its_end():
    found = windows(4.0, 1.6, 0.8)
    assert [window.start_s for window in found] == pytest.approx([0.0, 0.8, 1.6, 2.4])
    assert [window.end_s for window in found] == pytest.approx([1.6, 2.4, 3.2, 4.0])
    assert windows(1.0, 1.6, 0.8) == [Window(0.0, 1.0)]
    assert windows(2.3, 1.6, 0.8)[-1].end_s == pytest.approx(2.3)


@given(st.floats(0.05, 200), st.floats(0.3, 3), st.floats(0.1, 3))
def test_windows_lie_in_their_segment_and_leave_little_out(length_s, window_s, hop_s):
    found = windows(length_s, window_s, hop_s)
    assert all(0 <= w.start_s < w.end_s <= length_s + 1e-9 for w in found)
    assert length_s - found[-1].end_s <= hop_s


def test_a_turn_ends_halfway_between_windows_of_two_voices():
    voices = [(Window(0, 2), 0), (Window(1, 3), 0), (Window(2, 4), 1)]
    first, second = turns(segment(10.0, 4.0), "one two three four five", voices)
    assert (first.start_s, first.end_s, first.speaker) == (10.0, 12.5, "speaker 1")
    assert (second.start_s, second.end_s, second.speaker) == (12.5, 14.0, "speaker 2")
    assert (first.text, second.text) == ("one two three", "four five")


def test_without_voices_a_segment_is_one_turn_of_nobody():
    (turn,) = turns(segment(3.0, 2.0), "all of it", [])
    assert (turn.start_s, turn.end_s, turn.speaker, turn.text) == (3.0, 5.0, None, "all of it")


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=9),
    st.lists(st.text("abc", min_size=1, max_size=3), max_size=12),
)
def test_no_word_is_lost_and_none_is_said_twice(labels, words):
    voices = [(Window(i * 1.0, i + 2.0), label) for i, label in enumerate(labels)]
    found = turns(segment(0.0, len(labels) + 1.0), " ".join(words), voices)
    assert " ".join(turn.text for turn in found if turn.text).split() == words
    assert found[0].start_s == 0
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(found))
