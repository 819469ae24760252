"""A cascade of fakes: what it finds is known to the word, and what it costs to the second."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from support.fakes import Listener, make_spec
from support.voices import recording, talk

from asr_scaling.batch.bucketed import Bucketed
from asr_scaling.batch.fixed import Fixed
from asr_scaling.batch.max import Max
from asr_scaling.batch.seconds import Seconds
from asr_scaling.cascade.chain import Cascade
from asr_scaling.core.module_use import BETWEEN, RECOGNITION, Account
from asr_scaling.core.ports import NullProbe, SystemSpec, Transcription
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.device.cpu import Cpu
from asr_scaling.device.fake import FakeAccelerator
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, DeviceError, EngineError
from asr_scaling.punctuation.fake import FakePunctuation
from asr_scaling.punctuation.none import NoPunctuation
from asr_scaling.speaker.fake import FakeSpeaker
from asr_scaling.speaker.none import NoSpeaker
from asr_scaling.vad.fake import FakeVad
from asr_scaling.vad.none import NoVad

TWO = Fixed(2)
NOTHING = Cascade(NoVad(), NoPunctuation(), NoSpeaker())
VAD = FakeVad(per_audio_s=0.0)
MARKS = FakePunctuation(per_text_s=0.0)
VOICES = FakeSpeaker(per_window_s=0.0)
ALL = Cascade(VAD, MARKS, VOICES, block_s=30.0)


def spec(cascade: Cascade, batch: Any = TWO, **changes: Any) -> SystemSpec:
    found = SystemSpec(make_spec(), Fake(fixed_s=0.0), Cpu(), batch, cascade=cascade)
    return replace(found, **changes).composed()


def heard(
    cascade: Cascade, *recordings: Utterance, calls: int = 1, **changes: Any
) -> Transcription:
    made = spec(cascade, **changes)
    system = made.engine.load(made.model, made.device)
    try:
        for _ in range(calls):
            result = system.transcribe(AudioBatch(recordings), NullProbe())
    finally:
        system.close()
    return result


def account(result: Transcription) -> Account:
    assert result.account is not None
    return result.account


def test_without_modules_the_system_is_as_it_was():
    made = spec(NOTHING)
    assert made.engine == Fake(fixed_s=0.0)
    assert made.batch == Fixed(2)


@pytest.mark.parametrize("overlap", [False, True])
def test_every_turn_is_found_with_its_speaker_and_its_words(overlap: bool):
    talked = talk(8)
    result = heard(replace(ALL, overlap=overlap), talked, calls=2)
    (turns,) = result.turns
    assert [turn.text for turn in turns] == [f"Turn {i} is said." for i in range(8)]
    assert [turn.speaker for turn in turns] == [f"speaker {i % 3 + 1}" for i in range(8)]
    for found, real in zip(turns, talked.turns, strict=True):
        assert found.start_s == pytest.approx(real.start_s, abs=0.03)
        assert found.end_s == pytest.approx(real.end_s, abs=0.03)
    assert result.texts == (" ".join(turn.text for turn in turns),)
    assert result.audio_s == (talked.duration_s,)


@pytest.mark.parametrize("batch", [Fixed(3), Bucketed(3), Seconds(5.0), Seconds(0.1)])
def test_however_segments_are_batched_the_text_is_the_same(batch: Any):
    lengths = (0.6, 2.5, 1.1, 3.0, 0.4)
    turns, at = [], 0.5
    for i, length in enumerate(lengths):
        turns.append(Turn(at, at + length, "ann", f"part {i}"))
        at += length + 0.7
    result = heard(replace(ALL, speaker=NoSpeaker()), recording(turns, at), batch=batch)
    assert result.texts == (" ".join(f"Part {i}." for i in range(5)),)


def test_speech_across_the_border_of_two_blocks_stays_whole():
    turns = [
        Turn(1, 9, "ann", "first"),
        Turn(10, 22, "bob", "second"),
        Turn(24, 26, "cem", "third"),
    ]
    cascade = replace(ALL, block_s=12.0, longest_s=12.0)
    (found,) = heard(cascade, recording(turns, 30.0)).turns
    assert [turn.text for turn in found] == ["First.", "Second.", "Third."]


def test_a_long_stretch_is_cut_into_equal_parts():
    turns = [Turn(0, 25, "ann", "a long talk")]
    result = heard(replace(ALL, longest_s=10.0), recording(turns, 26.0), batch=Fixed(1))
    assert account(result).modules[RECOGNITION].items == 3
    (found,) = result.turns
    assert [round(turn.end_s - turn.start_s, 1) for turn in found] == [8.3, 8.3, 8.3]


def test_neighbours_become_one_segment():
    """Turns of 2 s with pauses of 1 s: three are 8 s long, four are 11."""
    result = heard(replace(ALL, speaker=NoSpeaker(), merge_s=9.0), talk(6), batch=Fixed(1))
    assert account(result).modules[RECOGNITION].items == 2
    (found,) = result.turns
    assert found[0].text == "Turn 0 is said turn 1 is said turn 2 is said."


def test_without_a_detector_recordings_are_recognised_whole_in_batches():
    made = spec(replace(ALL, vad=NoVad()), batch=Fixed(2))
    first, second = talk(2, key="a"), talk(3, key="b")
    assert [len(batch) for batch in made.batch.batches([first, second])] == [2]
    result = heard(replace(ALL, vad=NoVad(), speaker=NoSpeaker()), first, second)
    third = "Turn 0 is said turn 1 is said turn 2 is said."
    assert account(result).modules[RECOGNITION].calls == 1
    assert result.texts == ("Turn 0 is said turn 1 is said.", third)


def test_silence_has_no_text_and_no_turn():
    silent = Utterance("s", np.zeros(32_000, dtype=np.float32), "")
    for overlap in (False, True):
        result = heard(replace(ALL, overlap=overlap), silent, calls=2)
        assert (result.texts, result.turns) == (("",), ((),))


@dataclass(frozen=True)
class Broken(FakeSpeaker):
    """Fails at its second call."""

    def load(self, torch_name: str) -> Any:
        loaded: Any = super().load(torch_name)
        calls = iter(range(100))

        def embeddings(windows: Sequence[Any]) -> Any:
            if next(calls) == 1:
                raise EngineError("the speaker module broke")
            return type(loaded).embeddings(loaded, windows)

        loaded.embeddings = embeddings
        return loaded


@dataclass(frozen=True)
class NotThere(FakeSpeaker):
    """Can't be loaded."""

    def load(self, torch_name: str) -> Any:
        raise EngineError("the speaker module has no weights")


def test_modules_that_were_loaded_before_one_that_fails_leave_no_thread():
    before = threading.active_count()
    with pytest.raises(EngineError, match="has no weights"):
        heard(replace(ALL, speaker=NotThere()), talk(1))
    assert threading.active_count() == before


@pytest.mark.parametrize("overlap", [False, True])
def test_a_module_that_fails_ends_the_call_with_its_error(overlap: bool):
    cascade = replace(ALL, speaker=Broken(per_window_s=0.0), overlap=overlap, queue=1)
    with pytest.raises(EngineError, match="the speaker module broke"):
        heard(cascade, talk(40), calls=2)


def test_recognition_that_fails_ends_an_overlapped_call_too():
    made = spec(replace(ALL, overlap=True, queue=1, block_s=30.0), engine=Fake(max_batch=1))
    system = made.engine.load(made.model, made.device)
    short = talk(1)
    system.transcribe(AudioBatch((short,)), NullProbe())
    with pytest.raises(EngineError, match="does not fit"):
        system.transcribe(AudioBatch((talk(60),)), NullProbe())
    assert system.transcribe(AudioBatch((short,)), NullProbe()).texts == ("Turn 0 is said.",)
    system.close()


@dataclass(frozen=True)
class Short(Fake):
    """Takes no more than so many seconds at once."""

    longest_s: float = 30.0

    def check_length(self, model: Any, longest_s: float) -> None:
        if longest_s > self.longest_s:
            raise EngineError(f"{longest_s:g} s are too long.")


class TestAccount:
    def test_wall_times_of_a_plain_chain_add_up_to_the_call(self):
        cascade = Cascade(
            FakeVad(per_audio_s=0.001), FakePunctuation(per_text_s=0.002), FakeSpeaker()
        )
        found = account(heard(cascade, talk(10), calls=2))
        whole = sum(use.wall_s for use in found.modules.values())
        assert whole == pytest.approx(found.total_s, rel=1e-6)

    def test_processor_time_goes_to_the_module_that_used_it(self):
        """30 s of audio: the detector burns 60 ms, marks 40 ms, voices 80 ms of a core."""
        cascade = Cascade(
            FakeVad(per_audio_s=0.002),
            FakePunctuation(per_text_s=0.004),
            FakeSpeaker(per_call_s=0.08, per_window_s=0.0, batch=1000),
        )
        for overlap in (False, True):
            found = account(heard(replace(cascade, overlap=overlap), talk(10), calls=3))
            used = {name: use.cpu_s for name, use in found.modules.items()}
            assert used["vad"] == pytest.approx(0.060, abs=0.02)
            assert used["punctuation"] == pytest.approx(0.040, abs=0.02)
            assert used["speaker"] == pytest.approx(0.080, abs=0.03)
            assert sum(seconds or 0.0 for seconds in used.values()) == pytest.approx(found.cpu_s)

    def test_an_accelerator_is_occupied_and_no_core(self):
        cascade = replace(ALL, speaker=FakeSpeaker(device="fake", per_call_s=0.05))
        result = heard(cascade, talk(4), device=FakeAccelerator(), engine=Fake(fixed_s=0.1))
        use = account(result).modules
        assert use["speaker"].device_s == pytest.approx(0.05 + 4 * 2 * 0.001, abs=0.01)
        assert use[RECOGNITION].device_s is not None
        assert use[RECOGNITION].device_s >= 0.2
        assert (use["speaker"].cpu_s or 0.0) < 0.03
        on_cpu = replace(cascade, vad=FakeVad(device="cpu"))
        assert (
            account(heard(on_cpu, talk(4), device=FakeAccelerator())).modules["vad"].device_s
            is None
        )

    def test_queues_tell_how_long_groups_waited(self):
        cascade = replace(ALL, block_s=30.0, overlap=True, queue=2)
        found = account(heard(cascade, talk(40), calls=2, engine=Fake(fixed_s=0.05)))
        assert found.modules[RECOGNITION].wait_s > 0.05
        plain = account(heard(replace(cascade, overlap=False), talk(40)))
        assert {use.wait_s for use in plain.modules.values()} == {0.0}

    def test_overlapping_is_faster_where_modules_wait_for_different_things(self):
        """The detector's and the voices' work is on an accelerator of its own, so it costs only
        time: the call takes as long as the slowest module, not as the sum."""
        cascade = replace(
            ALL,
            vad=FakeVad(device="fake", per_audio_s=0.004),
            speaker=FakeSpeaker(device="fake", per_window_s=0.004),
        )
        found = [
            account(
                heard(
                    replace(cascade, overlap=overlap),
                    talk(40),
                    calls=2,
                    batch=Fixed(4),
                    engine=Fake(fixed_s=0.04),
                )
            )
            for overlap in (False, True)
        ]
        sums = [sum(use.wall_s for use in each.modules.values()) for each in found]
        assert found[1].total_s < 0.75 * sums[1]
        assert found[1].total_s < found[0].total_s

    def test_padding_is_that_of_the_batches(self):
        turns = [Turn(1, 2, "ann", "short"), Turn(3, 7, "ann", "long")]
        together = heard(replace(ALL, speaker=NoSpeaker()), recording(turns, 8.0), batch=Fixed(2))
        share = account(together).modules[RECOGNITION].padding_share
        assert share == pytest.approx(1 - 5 / 8, abs=0.01)
        alone = heard(replace(ALL, speaker=NoSpeaker()), recording(turns, 8.0), batch=Fixed(1))
        assert account(alone).modules[RECOGNITION].padding_share == pytest.approx(0.0)

    def test_the_rest_is_there_under_its_name(self):
        assert BETWEEN in account(heard(ALL, talk(3))).modules


class TestOptions:
    @pytest.mark.parametrize(
        ("cascade", "batch", "said"),
        [
            (ALL, Max(), "batch=max can't be had in a cascade"),
            (NOTHING, Seconds(), "batch=seconds is for the segments"),
            (replace(ALL, vad=NoVad()), Seconds(), "batch=seconds is for the segments"),
            (replace(NOTHING, overlap=True), Fixed(1), "there is none beside recognition"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, cascade: Cascade, batch: Any, said: str):
        with pytest.raises(ConfigError, match=said):
            spec(cascade, batch=batch)

    def test_limits(self):
        with pytest.raises(ConfigError, match=r"speaker.batch must be 1 or more; got 0"):
            replace(ALL, speaker=FakeSpeaker(batch=0))
        with pytest.raises(ConfigError, match=r"vad.threads must be 1 or more; got 0"):
            replace(ALL, vad=FakeVad(threads=0))
        with pytest.raises(ConfigError, match=r"cascade.block_s must be at least"):
            replace(ALL, block_s=10.0)
        with pytest.raises(ConfigError, match=r"batch.seconds must be more than 0"):
            Seconds(0)

    def test_a_module_on_a_device_that_is_not_there_is_refused_before_anything_is_loaded(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        for device in ("cuda", "cuda:1"):
            made = spec(replace(ALL, speaker=FakeSpeaker(device=device)))
            with pytest.raises(DeviceError, match=f"speaker.device={device} is not on this"):
                made.check()
        with pytest.raises(ConfigError, match=r"vad.device must be cpu, cuda"):
            replace(ALL, vad=FakeVad(device="gpu"))

    def test_an_engine_of_short_speech_takes_recordings_that_are_cut(self):
        model = make_spec()
        spec(ALL, engine=Short()).engine.check_length(model, 3600.0)
        for cascade in (replace(ALL, vad=NoVad()), replace(ALL, longest_s=30.0)):
            long = spec(cascade, engine=Short(longest_s=20.0)).engine
            with pytest.raises(EngineError, match="too long"):
                long.check_length(model, 3600.0)

    def test_a_real_engine_refuses_a_device_that_computes_nothing(self):
        from asr_scaling.engine.transformers import Transformers

        made = SystemSpec(make_spec(), Transformers(), FakeAccelerator(), Fixed(1))
        with pytest.raises(EngineError, match="device=fake computes nothing"):
            made.check()


def test_stages_of_recognition_are_seen_in_a_plain_chain():
    made = spec(ALL)
    system, probe = made.engine.load(made.model, made.device), Listener()
    system.transcribe(AudioBatch((talk(2),)), probe)
    system.close()
    assert probe.stages == ["features", "encoder", "decoder", "text"]
