"""The shortened encoder window and its guard, with an engine that is told when to loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import utterance

from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.short_window import (
    STEP_S,
    check_margin,
    looped,
    most_tokens,
    window_s,
)
from asr_scaling.errors import ConfigError


def test_what_a_loop_looks_like() -> None:
    spoken = "the quick brown fox jumps over the lazy dog while five boxing wizards look on"
    assert not looped(spoken, 18, 5.0)
    assert looped(spoken, most_tokens(5.0), 5.0)
    assert looped("you know, " * 20, 20, 30.0)
    assert looped("He went to the market. And to the market, and to the market.", 16, 6.0)
    assert not looped("from door to door, and from day to day to day", 12, 6.0)
    assert not looped("", 0, 1.0)
    assert not looped("no no no", 3, 1.0)


@given(st.floats(0.1, 29.0), st.floats(0.0, 10.0))
def test_a_window_covers_speech_and_margin_and_no_step_more(seconds: float, margin: float) -> None:
    batch = AudioBatch((utterance(seconds),))
    longest, found = batch.utterances[0].duration_s, window_s(batch, margin, 30.0)
    if found is None:
        assert longest + margin > 30.0 - STEP_S
    else:
        assert longest + margin - 1e-6 <= found < longest + margin + STEP_S + 1e-6
        assert found % STEP_S == 0


@pytest.mark.parametrize("margin", [-1, 30, float("nan")])
def test_margins_that_make_no_sense(margin: float) -> None:
    with pytest.raises(ConfigError, match="window_margin_s must be from 0 to 30"):
        check_margin(margin)
