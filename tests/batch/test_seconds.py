from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import utterances

from asr_scaling.batch.seconds import Seconds
from asr_scaling.errors import ConfigError


def test_segments_of_like_length_are_together_up_to_the_seconds():
    found = Seconds(6.0).batches(utterances([3.0, 1.0, 2.0, 9.0, 2.5]))
    assert [batch.durations_s for batch in found] == [(1.0, 2.0), (2.5, 3.0), (9.0,)]


def test_no_more_than_so_many_are_together():
    found = Seconds(60.0, most=2).batches(utterances([1.0] * 5))
    assert [len(batch) for batch in found] == [2, 2, 1]


@given(
    st.lists(st.floats(0.05, 40), min_size=1, max_size=40),
    st.floats(0.5, 90),
    st.integers(1, 9),
)
def test_every_segment_is_in_one_batch_that_is_not_too_large(durations, seconds, most):
    segments = utterances(durations)
    found = Seconds(seconds, most).batches(segments)
    ids = [utterance.id for batch in found for utterance in batch.utterances]
    assert sorted(ids) == sorted(utterance.id for utterance in segments)
    assert all(len(batch) <= most for batch in found)
    assert all(len(batch) == 1 or batch.padded_s <= seconds + 1e-9 for batch in found)


def test_options():
    with pytest.raises(ConfigError, match=r"batch\.most must be at least 1; got 0"):
        Seconds(most=0)
