"""The shortened encoder window and its guard, with an engine that is told when to loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import utterance, utterances

from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.short_window import (
    STEP_S,
    check_margin,
    looped,
    most_tokens,
    window_s,
    windowed,
)
from asr_scaling.errors import ConfigError


class Attempts:
    """Transcribes every utterance as its id;
    those of ``loops`` go round in circles in a short window."""

    def __init__(self, loops: tuple[str, ...] = ()) -> None:
        self.loops, self.calls = loops, list[tuple[tuple[str, ...], float | None, int | None]]()

    def __call__(self, batch: AudioBatch, window: float | None, most: int | None) -> Transcription:
        ids = tuple(u.id for u in batch.utterances)
        self.calls.append((ids, window, most))
        texts = tuple("again and " * 30 if window and key in self.loops else key for key in ids)
        tokens = tuple(60 if window and key in self.loops else 3 for key in ids)
        return Transcription(
            texts, tokens, tuple(u.duration_s for u in batch.utterances), steps=max(tokens)
        )


def test_the_window_is_the_longest_utterance_and_the_margin() -> None:
    attempt = Attempts()
    done = windowed(AudioBatch(utterances([3.0, 5.2])), 2.0, 30.0, attempt)
    assert attempt.calls == [(("u0", "u1"), 7.5, most_tokens(5.2))]
    assert (done.texts, done.again) == (("u0", "u1"), 0)


def test_what_loops_is_decoded_again_with_the_whole_window() -> None:
    attempt = Attempts(loops=("u1",))
    done = windowed(AudioBatch(utterances([3.0, 5.0, 4.0])), 1.0, 30.0, attempt)
    assert attempt.calls == [(("u0", "u1", "u2"), 6.0, most_tokens(5.0)), (("u1",), None, None)]
    assert done.texts == ("u0", "u1", "u2")
    assert done.tokens == (3, 3, 3)
    assert (done.steps, done.again) == (63, 1)


@pytest.mark.parametrize(("seconds", "margin"), [(3.0, None), (28.5, 2.0), (45.0, 2.0)])
def test_the_whole_window_needs_no_guard(seconds: float, margin: float | None) -> None:
    attempt = Attempts(loops=("u0",))
    done = windowed(AudioBatch(utterances([seconds])), margin, 30.0, attempt)
    assert attempt.calls == [(("u0",), None, None)]
    assert done.again == 0


def test_texts_of_random_weights_are_not_judged() -> None:
    attempt = Attempts(loops=("u0",))
    done = windowed(AudioBatch(utterances([4.0])), 1.0, 30.0, attempt, guarded=False)
    assert attempt.calls == [(("u0",), 5.0, None)]
    assert done.again == 0


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
