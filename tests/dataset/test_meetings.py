"""Meetings put together from the demo's voices: exact turns, overlap as asked for, noise."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.peaks import most_memory

from asr_scaling.core.turns import Turn, speakers_of, speech_of, text_of
from asr_scaling.core.workload import Utterance
from asr_scaling.dataset.demo import Demo
from asr_scaling.dataset.meetings import Meetings
from asr_scaling.errors import ConfigError, DataError

RATE = 16_000


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory):
    """The only recording of meetings with some options, made once for each of them."""
    made: dict[str, Utterance] = {}

    def load(**options: object) -> Utterance:
        key = repr(sorted(options.items()))
        if key not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("ASR_SCALING_CACHE", str(tmp_path_factory.mktemp("meetings")))
                made[key] = Meetings(**options).load(1).utterances[0]  # type: ignore[arg-type]
        return made[key]

    return load


def samples_of(turn: Turn, audio: np.ndarray) -> np.ndarray:
    return audio[round(turn.start_s * RATE) : round(turn.end_s * RATE)]


def voices_at(utterance: Utterance) -> np.ndarray:
    """How many speak at every sample."""
    count = np.zeros(utterance.audio.size, np.int8)
    for turn in utterance.turns:
        samples_of(turn, count)[:] += 1
    return count


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def test_what_a_recording_is(one):
    found = one()
    assert found.id == "meetings-5min-000"
    assert (found.duration_s, found.audio.dtype) == (300.0, np.float32)
    assert len(speakers_of(found.turns)) == 3
    assert found.reference == text_of(found.turns)
    assert (found.speaker, found.language) == (None, "en")
    assert all(a.start_s < b.start_s and a.end_s < b.end_s for a, b in pairwise(found.turns))
    assert 0 < found.turns[0].start_s < 10
    assert 280 < found.turns[-1].end_s <= 300
    assert all(a.speaker != b.speaker for a, b in pairwise(found.turns))


def test_every_sentence_is_said_before_one_is_repeated(one):
    for speaker in speakers_of(one(minutes=20).turns):
        texts = [turn.text for turn in one(minutes=20).turns if turn.speaker == speaker]
        assert len(set(texts[:19])) == 19
        assert set(texts[19:38]) == set(texts[:19])


@pytest.mark.parametrize("overlap", [0, 0.05, 0.15, 0.4])
def test_two_speak_at_once_for_the_share_that_is_asked_for(one, overlap):
    found = one(overlap=overlap, minutes=10)
    voices = voices_at(found)
    assert voices.max() == (2 if overlap else 1)
    share = float((voices == 2).sum() / (voices > 0).sum())
    assert share == pytest.approx(overlap, abs=0.01)


def test_the_record_says_what_was_made():
    workload = Meetings(overlap=0.1, minutes=2, recordings=3).load(None)
    info = workload.info
    assert (info.name, info.synthetic, info.utterances, info.available) == ("meetings", True, 3, 3)
    assert (info.audio_s, info.copies, info.length_s) == (360.0, 0, None)
    facts = info.facts()["made"]
    assert list(facts) == [u.id for u in workload.utterances]
    for utterance, made in zip(workload.utterances, facts.values(), strict=True):
        voices = voices_at(utterance)
        assert (made["speakers"], made["snr_db"]) == (3, 25)
        assert made["turns"] == len(utterance.turns)
        assert made["sentences"] == len({turn.text for turn in utterance.turns})
        assert made["overlapped_s"] == pytest.approx((voices == 2).sum() / RATE, abs=2e-3)
        assert made["spoken_s"] == pytest.approx((voices > 0).sum() / RATE, abs=2e-3)
        assert made["overlap"] == pytest.approx((voices == 2).sum() / (voices > 0).sum(), abs=1e-3)
    chosen = workload.spread(2)
    assert set(chosen.info.made) == {u.id for u in chosen.utterances}
    assert chosen.info.spread_over == 3


@pytest.mark.parametrize("pause_s", [0.2, 1.5])
def test_pauses_last_as_long_as_asked_for_on_average(one, pause_s):
    found = one(pause_s=pause_s, minutes=20)
    speech = speech_of(found.turns)
    pauses = [after[0] - before[1] for before, after in pairwise(speech)]
    assert np.mean(pauses) == pytest.approx(pause_s, rel=0.15)
    assert min(pauses) >= pause_s / 2 - 1e-4


def test_turns_without_pauses_touch(one):
    assert len(speech_of(one(pause_s=0, overlap=0, minutes=1).turns)) == 1


def test_a_turn_is_the_demo_s_sentence_sample_by_sample(one):
    found = one(snr_db=None)
    voices = voices_at(found)
    demo = {u.id: u for u in Demo(condition="clean").load(None).utterances}
    alone = 0
    for turn, part in zip(found.turns, found.parts, strict=True):
        assert (turn.speaker, turn.text) == (demo[part].speaker, demo[part].reference)
        spoken, here = demo[part].audio, samples_of(turn, found.audio)
        # the quiet ends of the sentence before lie under the first and last quarter of a second
        middle = slice(RATE // 4, here.size - RATE // 4)
        if samples_of(turn, voices).max() > 1:
            continue
        alone += 1
        begins = range(0, spoken.size - here.size + 1, RATE // 100)
        assert any(
            np.array_equal(spoken[at : at + here.size][middle], here[middle]) for at in begins
        )
    assert alone > 30


def test_turns_begin_and_end_where_their_sentence_does(one):
    """Their first and last 10 ms are within 35 dB of their loudest; what lies between is not."""
    found = one(snr_db=None, overlap=0, pause_s=1)
    faintest = 10 ** (-35.01 / 20)
    for before, after in pairwise(found.turns):
        loudest = []
        for turn in (before, after):
            frames = [rms(f) for f in samples_of(turn, found.audio).reshape(-1, RATE // 100)]
            assert min(frames[0], frames[-1]) > faintest * max(frames)
            loudest.append(max(frames))
        pause = found.audio[round(before.end_s * RATE) : round(after.start_s * RATE)]
        assert rms(pause) < faintest * max(loudest)


@pytest.mark.parametrize("snr_db", [10, 25])
def test_noise_lies_under_all_of_it_as_far_below_the_speech_as_asked_for(one, snr_db):
    found, clean = (one(snr_db=db, minutes=2, pause_s=1.5) for db in (snr_db, None))
    assert found.turns == clean.turns
    spoken = np.concatenate([samples_of(turn, clean.audio) for turn in clean.turns])
    quiet = np.flatnonzero(clean.audio == 0)
    noise = rms(found.audio[quiet])
    assert quiet.size > 10 * RATE
    assert 20 * np.log10(rms(spoken) / noise) == pytest.approx(snr_db, abs=0.5)
    assert rms(found.audio - clean.audio) == pytest.approx(noise, rel=0.02)


def test_the_same_at_every_call_and_another_for_each_seed_and_number():
    options = {"minutes": 1, "recordings": 2}
    first, again = Meetings(**options).load(None), Meetings(**options).load(None)
    assert first.info.digest == again.info.digest
    assert (first.info.cached, again.info.cached) == (False, True)
    assert Meetings(**options, seed=1).load(None).info.digest != first.info.digest
    a, b = first.utterances
    assert a.turns != b.turns
    assert not np.array_equal(a.audio, b.audio)
    (only,) = Meetings(**options).load(1).utterances
    assert (only.id, only.turns) == (a.id, a.turns)
    assert np.array_equal(only.audio, a.audio)


@pytest.mark.parametrize(
    ("snr_db", "digest"), [(None, "bb0718303789b973"), (25, "d0af5674814cc9cf")]
)
def test_the_recordings_of_a_seed_stay_what_they_are(snr_db, digest):
    info = Meetings(minutes=1, recordings=1, snr_db=snr_db).load(None).info
    assert info.digest.startswith(digest)


def test_fewer_speakers(one):
    assert len(speakers_of(one(speakers=2, minutes=2).turns)) == 2
    alone = one(speakers=1, minutes=2, overlap=0)
    assert len(speakers_of(alone.turns)) == 1
    assert len(alone.turns) > 15


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("minutes", 0.5, "1 to 240"),
        ("minutes", 241, "1 to 240"),
        ("minutes", "5", "1 to 240"),
        ("recordings", 0, "1 to 1000"),
        ("recordings", 1.5, "1 to 1000"),
        ("speakers", 4, "1 to 3"),
        ("speakers", 1, "set dataset.overlap=0"),
        ("overlap", 0.5, "0 to 0.4"),
        ("overlap", -0.1, "0 to 0.4"),
        ("pause_s", -1, "0 to 60"),
        ("snr_db", -1, "null for no noise"),
        ("seed", -1, "whole number"),
        ("language", "xx", "code"),
        ("length_s", 30, "set dataset.minutes"),
    ],
)
def test_options_that_can_t_work(option, value, word):
    with pytest.raises(ConfigError, match=rf"dataset\.{option}={value} can't work; .*{word}"):
        Meetings(**{option: value})


def test_a_damaged_recording_is_made_again(cache: Path):
    meetings = Meetings(minutes=1, recordings=1)
    fresh = meetings.load(None).info.digest
    (file,) = (cache.parent / "recordings").glob("*/samples.f32")
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    again = meetings.load(None).info
    assert (again.digest, again.cached) == (fresh, False)
    assert meetings.load(None).info.cached


def test_a_cache_that_can_t_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"can't be kept in the cache \(.*ASR_SCALING_CACHE"):
        Meetings(minutes=1).load(None)


def peak_bytes(minutes: float) -> int:
    """Most memory that a process of its own has while it loads a recording and reads it all."""
    return most_memory(
        "from asr_scaling.dataset.meetings import Meetings",
        f"(u,) = Meetings(minutes={minutes}, recordings=1).load(None).utterances",
        f"assert u.duration_s == {60 * minutes}",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_a_long_recording_needs_no_more_memory_than_a_short_one():
    """40 minutes are 154 MB; 35 of them more than 5 are 134 MB."""
    assert peak_bytes(40) - peak_bytes(5) < 30e6
