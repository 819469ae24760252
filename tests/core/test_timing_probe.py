"""Stage times: every nanosecond of a call belongs to exactly one stage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeClock, FakeDevice, transcription, utterance

from asr_scaling.core.ports import NullProbe, NullProgress
from asr_scaling.core.sample import Sample
from asr_scaling.core.timing_probe import TimingProbe
from asr_scaling.core.workload import AudioBatch

BATCH = AudioBatch((utterance(1.0, "a"), utterance(2.0, "b")))
EVENTS = st.lists(
    st.tuples(st.sampled_from(["features", "encoder", "decoder", "token"]), st.integers(0, 10**9))
)


def call(*events: tuple[str, float], before: float = 0.0) -> Sample:
    """A call in which each event is followed by so many seconds;
    "token" is a token, all else a stage."""
    clock = FakeClock()
    clock.sleep(123.0)  # times are differences
    probe = TimingProbe(FakeDevice(clock))
    clock.sleep(before)
    for name, seconds in events:
        if name == "token":
            probe.token()
        else:
            probe.stage(name)
        clock.sleep(seconds)
    return probe.sample(BATCH, transcription(BATCH, audio_s=(1.0, 1.5), tokens=(3, 4)))


def test_what_belongs_to_whom():
    sample = call(
        ("features", 0.1),
        ("encoder", 0.2),
        ("decoder", 0.3),
        ("token", 0.4),
        ("token", 0.5),
        ("text", 0.6),
    )
    assert sample.stages == pytest.approx(
        {"other": 0, "features": 0.1, "encoder": 0.2, "decoder": 1.2, "text": 0.6}
    )
    assert sample.total_s == pytest.approx(2.1)
    assert sample.first_token_s == pytest.approx(0.6)
    assert sample.step_s == pytest.approx((0.4,))
    assert sample.utterances == ("a", "b")
    assert (sample.audio_s, sample.processed_s, sample.tokens) == (3.0, 2.5, (3, 4))


def test_time_before_the_first_stage_is_other():
    assert call(("encoder", 0.5), before=0.25).stages == {"other": 0.25, "encoder": 0.5}
    assert call(before=0.75).stages == {"other": 0.75}


def test_a_stage_that_comes_again_adds_up():
    sample = call(("encoder", 0.5), ("decoder", 0.125), ("encoder", 0.25))
    assert sample.stages == {"other": 0, "encoder": 0.75, "decoder": 0.125}


def test_a_stage_in_between_breaks_the_steps():
    """The first token of a second window took its encoder too: that is no decoding step."""
    window = (
        ("encoder", 1.0),
        ("decoder", 0.5),
        ("token", 0.25),
        ("token", 0.25),
        ("token", 0.125),
    )
    sample = call(*window, *window)
    assert sample.first_token_s == 1.5
    assert sample.step_s == (0.25, 0.25, 0.25, 0.25)
    assert sample.stages == {"other": 0, "encoder": 2.0, "decoder": 2.25}


def test_no_tokens():
    sample = call(("encoder", 1.0), ("text", 0.5))
    assert sample.first_token_s is None
    assert sample.step_s == ()


def test_one_token_has_no_step():
    sample = call(("decoder", 1.0), ("token", 0.5))
    assert sample.first_token_s == 1.0
    assert sample.step_s == ()


@given(EVENTS, st.integers(0, 10**9))
def test_stages_add_up_to_the_total(events: list[tuple[str, int]], before: int):
    sample = call(*((name, ns / 1e9) for name, ns in events), before=before / 1e9)
    assert sum(sample.stages.values()) == pytest.approx(sample.total_s, abs=1e-9)
    assert sample.total_s == pytest.approx((before + sum(ns for _, ns in events)) / 1e9, abs=1e-9)
    assert set(sample.stages) == {"other"} | {name for name, _ in events} - {"token"}
    assert min(sample.stages.values()) >= 0


@given(EVENTS)
def test_steps_are_fewer_than_tokens_and_within_their_stages(events: list[tuple[str, int]]):
    sample = call(*((name, ns / 1e9) for name, ns in events))
    tokens = [name for name, _ in events].count("token")
    assert (sample.first_token_s is None) == (tokens == 0)
    assert len(sample.step_s) <= max(0, tokens - 1)
    assert sum(sample.step_s) <= sample.total_s + 1e-9


def test_the_device_is_read_once_when_the_call_is_over():
    class Counting(FakeDevice):
        reads = 0

        def seconds(self, marks: list[int]) -> list[float]:
            self.reads += 1
            return super().seconds(marks)

    device = Counting(FakeClock())
    probe = TimingProbe(device)
    probe.stage("encoder")
    probe.token()
    assert device.reads == 0
    probe.sample(BATCH, transcription(BATCH))
    assert device.reads == 1


def test_null_objects_take_everything():
    probe, progress = NullProbe(), NullProgress()
    probe.stage("encoder")
    probe.token()
    progress.stage("load")
    progress.advance(0.5)
    assert vars(probe) == vars(progress) == {}
