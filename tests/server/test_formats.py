"""A text in each of OpenAI's forms, and texts that would break a file of subtitles."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.turns import Turn
from asr_scaling.server.formats import Heard, rendered

TURNS = (Turn(0.5, 2.0, "Ann", "good morning"), Turn(3.25, 3725.5, None, "hello"))


def text(heard: Heard, form: str) -> str:
    return bytes(rendered(heard, form).body).decode()


def test_json_has_the_text_and_how_much_audio_it_took() -> None:
    assert json.loads(text(Heard(" Größe 🎤 ", 5.14), "json")) == {
        "text": "Größe 🎤",
        "usage": {"type": "duration", "seconds": 5.14},
    }


def test_text_ends_its_line() -> None:
    answer = rendered(Heard(" one two", 5.14), "text")
    assert bytes(answer.body) == b"one two\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_without_turns_the_whole_audio_is_one_segment() -> None:
    told = json.loads(text(Heard("one two", 5.14, "english"), "verbose_json"))
    segment = told["segments"].pop()
    assert told == {
        "task": "transcribe",
        "language": "english",
        "duration": 5.14,
        "text": "one two",
        "usage": {"type": "duration", "seconds": 5.14},
        "segments": [],
    }
    assert (segment["id"], segment["start"], segment["end"]) == (0, 0.0, 5.14)
    assert segment["text"] == "one two"
    assert segment["avg_logprob"] is segment["no_speech_prob"] is segment["temperature"] is None
    assert text(Heard("one two", 5.14), "srt") == "1\n00:00:00,000 --> 00:00:05,140\none two\n\n"


def test_turns_are_segments_with_their_speakers() -> None:
    heard = Heard("good morning hello", 4000.0, None, TURNS)
    first, second = json.loads(text(heard, "verbose_json"))["segments"]
    assert (first["speaker"], first["start"], first["end"]) == ("Ann", 0.5, 2.0)
    assert "speaker" not in second
    assert text(heard, "srt") == (
        "1\n00:00:00,500 --> 00:00:02,000\nAnn: good morning\n\n"
        "2\n00:00:03,250 --> 01:02:05,500\nhello\n\n"
    )
    assert text(heard, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\n<v Ann>good morning\n\n"
        "00:00:03.250 --> 01:02:05.500\nhello\n\n"
    )


@pytest.mark.parametrize("turns", [(), (Turn(0, 1, "Ann", " "),)])
def test_where_nothing_was_said_there_is_no_segment(turns: tuple[Turn, ...]) -> None:
    nothing = Heard(" ", 2.0, "english", turns)
    assert json.loads(text(nothing, "verbose_json"))["segments"] == []
    assert text(nothing, "srt") == ""
    assert text(nothing, "vtt") == "WEBVTT\n\n"


def test_turns_that_tell_only_who_spoke_are_no_segments() -> None:
    heard = Heard("one two", 2.0, None, (Turn(0.0, 1.0, "Ann"),))
    assert text(heard, "srt") == "1\n00:00:00,000 --> 00:00:02,000\none two\n\n"


def test_marks_of_webvtt_in_a_text_are_only_text() -> None:
    heard = Heard("a < b --> c & d", 1.0, None, (Turn(0, 1, "A>B", "a < b --> c & d"),))
    assert text(heard, "vtt").splitlines()[3] == "<v AB>a &lt; b -&gt; c &amp; d"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1e6))
def test_no_text_makes_a_cue_of_its_own(said: str, seconds: float) -> None:
    """Neither by empty lines nor by what looks like times."""
    heard = Heard(said, seconds)
    cues = 1 if said.strip() else 0
    assert text(heard, "srt").count("-->") == text(heard, "vtt").count("-->") == cues
    assert text(heard, "srt").count("\n\n") == cues
    assert text(heard, "vtt").count("\n\n") == cues + 1


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_times_are_written_in_their_order(one: float, other: float) -> None:
    start, end = sorted((one, other))
    written = text(Heard("a", end, None, (Turn(start, end, text="a"),)), "srt").splitlines()[1]
    times = re.findall(r"(\d\d+):([0-5]\d):([0-5]\d),(\d{3})", written)
    seconds = [int(h) * 3600 + int(m) * 60 + int(s) + int(t) / 1000 for h, m, s, t in times]
    assert seconds == pytest.approx([start, end], abs=0.00051)
