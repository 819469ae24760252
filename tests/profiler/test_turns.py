"""The measurement of turns, as a job takes it: which figures which system has, and why not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fakes import (
    FakeClock,
    FakeDevice,
    ScriptedEngine,
    ScriptedSystem,
    altered,
    brief,
    make_job,
    make_session,
    transcription,
    workload,
)
from support.turn_lists import turns

from asr_scaling.core.ports import Probe, Session, Transcription
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, Utterance, Workload
from asr_scaling.errors import ConfigError
from asr_scaling.measure.job import run
from asr_scaling.profiler._turns import cpwer, diarisation, overlap, punctuation, voice_activity
from asr_scaling.profiler.quality import Quality
from asr_scaling.profiler.turns import Turns

Found = tuple[Turn, ...]
REFERENCE = turns((0, 2, "ann", "Hello there."), (2, 4, "bob", "Good morning, Ann."))
RIGHT = turns((0, 2, "speaker 1", "Hello there."), (2, 4, "speaker 2", "Good morning, Ann."))
WHOLE = {name: {"weights": "pretrained"} for name in ("vad", "punctuation", "speaker")}


def meeting(key: str = "m0", said: Found = REFERENCE, seconds: float = 5.0) -> Utterance:
    audio = np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
    return Utterance(key, audio, " ".join(turn.text for turn in said), turns=said)


def session(
    folder: Path,
    cascade: Any = WHOLE,
    found: Found | None = RIGHT,
    speech: tuple[Utterance, ...] = (meeting(),),
    **facts: Any,
) -> Session:
    """``found``: what the system finds in each recording; None for a system that tells no turns."""

    def script(batch: AudioBatch, probe: Probe) -> Transcription:
        told = () if found is None else (found,) * len(batch)
        text = " ".join(turn.text for turn in found or ())
        return transcription(batch, texts=(text,) * len(batch), turns=told)

    details = None if cascade is None else {"cascade": cascade}
    system = ScriptedSystem(script, details=details, **facts)
    return make_session(system, speech, folder=folder)


def values(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


def without(name: str, weights: str | None = None) -> dict[str, Any]:
    """A cascade whose module ``name`` has such weights, or that has no such module."""
    rest = {key: told for key, told in WHOLE.items() if key != name}
    return rest if weights is None else rest | {name: {"weights": weights}}


@pytest.fixture
def pyannote() -> None:
    pytest.importorskip("pyannote.metrics.diarization", reason="the extra 'cascade' is missing")


def test_a_perfect_cascade_has_no_error(tmp_path: Path, pyannote: None):
    findings = Turns().measure(session(tmp_path))
    found = values(findings)
    for name in ("vad_miss_share", "vad_false_alarm_share", "der", "der_collar", "cpwer"):
        assert found[f"turns/{name}"] == 0, name
    for name in ("punctuation_f1", "case_f1"):
        assert found[f"turns/{name}"] == 1, name
    assert found["turns/speaker_count_error"] == 0
    assert findings.unavailable == {}
    assert findings.artifacts == ("turns.json", "turns-1.rttm")
    assert all((tmp_path / name).exists() for name in findings.artifacts)
    assert findings.cautions == ()


def test_a_system_that_is_no_cascade_shows_nothing_and_is_not_called(tmp_path: Path):
    plain = session(tmp_path, cascade=None, found=None)
    assert Turns().measure(plain) == Findings()
    assert (plain.hypotheses, list(tmp_path.iterdir())) == ({}, [])


def test_a_system_that_tells_turns_needs_no_facts_of_its_modules(tmp_path: Path):
    """But for punctuation: marks may be recognition's own."""
    told = session(tmp_path, cascade=None)
    told.transcribe(told.batches[0])
    findings = Turns().measure(told)
    found = values(findings)
    assert (found["turns/vad_miss_share"], found["turns/cpwer"]) == (0, 0)
    assert "does not tell" in findings.unavailable["turns/punctuation_f1"]


@pytest.mark.parametrize("weights", ["random", "none", None])
@pytest.mark.parametrize(
    ("name", "lost", "word"),
    [
        ("vad", voice_activity.METRICS, "voice activity"),
        ("speaker", (*diarisation.METRICS, *cpwer.METRICS), "speakers"),
        ("punctuation", punctuation.METRICS, "punctuation"),
    ],
)
def test_a_module_that_is_random_or_absent_has_no_figures(
    tmp_path: Path, name: str, lost: tuple[str, ...], word: str, weights: str | None
):
    findings = Turns().measure(session(tmp_path, without(name, weights)))
    said = "random weights" if weights == "random" else "the cascade has no module"
    for metric in lost:
        assert said in findings.unavailable[metric]
        assert word in findings.unavailable[metric]
    kept = {*voice_activity.METRICS, *punctuation.METRICS} - {*lost}
    assert kept <= set(values(findings))
    assert {*overlap.METRICS} <= set(values(findings))


def test_where_voice_activity_is_random_turns_are_not_what_was_found(tmp_path: Path):
    findings = Turns().measure(session(tmp_path, without("vad", "random")))
    for metric in (*diarisation.METRICS, *cpwer.METRICS):
        assert "voice activity has random weights" in findings.unavailable[metric]


def test_texts_of_random_weights_are_not_scored(tmp_path: Path):
    findings = Turns().measure(session(tmp_path, weights="random"))
    for metric in (*cpwer.METRICS, *punctuation.METRICS):
        assert findings.unavailable[metric] == "the weights are random, so the texts mean nothing"
    assert values(findings)["turns/vad_miss_share"] == 0


def test_a_system_that_names_nobody_has_no_figures_of_speakers(tmp_path: Path):
    unnamed = turns((0, 4, None, "Hello there. Good morning, Ann."))
    told = session(tmp_path, None, unnamed)
    told.transcribe(told.batches[0])
    unavailable = Turns().measure(told).unavailable
    assert unavailable["turns/der"] == unavailable["turns/cpwer"] == "the system names no speakers"


def test_a_dataset_without_turns_leaves_the_marks(tmp_path: Path):
    speech = Utterance("u", np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), "Hello there. Good day.")
    findings = Turns().measure(session(tmp_path, speech=(speech,)))
    assert findings.unavailable["turns/der"] == "the dataset does not tell who speaks when"
    assert "turns/punctuation_f1" in values(findings)
    assert "turns.json" in findings.artifacts


def test_a_cascade_that_tells_no_turns_has_a_reason(tmp_path: Path):
    findings = Turns().measure(session(tmp_path, found=None))
    assert findings.unavailable["turns/vad_miss_share"] == (
        "the system does not tell when it found what"
    )
    assert findings.artifacts == ()


def test_every_recording_is_transcribed_once_and_several_have_an_interval(tmp_path: Path):
    """The first second of each is missed: 1 of 3, 4, 5 and 6 s."""
    speech = tuple(meeting(f"m{n}", turns((0, n, "ann", "hi")), 7.0) for n in (3, 4, 5, 6))
    calls = session(tmp_path, found=turns((1, 7, "x", "hi")), speech=speech)
    calls.transcribe(calls.batches[1])
    findings = Turns().measure(calls)
    assert set(calls.turns) == {"m3", "m4", "m5", "m6"}
    assert calls.repeated == set()
    (miss,) = [m for m in findings.metrics if m.name == "turns/vad_miss_share"]
    assert (miss.value, miss.n) == (pytest.approx(4 / 18), 4)
    assert miss.interval is not None
    assert miss.interval.low < miss.value < miss.interval.high


def test_the_turns_of_the_first_call_count(tmp_path: Path):
    """Also where a later call finds others."""
    answers = [RIGHT, ()]

    def script(batch: AudioBatch, probe: Probe) -> Transcription:
        return transcription(batch, turns=(answers.pop(0),))

    system = ScriptedSystem(script, details={"cascade": WHOLE})
    one = make_session(system, (meeting(),), folder=tmp_path)
    one.transcribe(one.batches[0])
    one.transcribe(one.batches[0])
    assert one.turns == {"m0": RIGHT}


def test_overlap_that_the_system_never_finds_is_a_caution(tmp_path: Path):
    said = turns((0, 3, "ann", "Hello there."), (2, 4, "bob", "Good morning."))
    findings = Turns().measure(session(tmp_path, speech=(meeting(said=said),)))
    assert [c.kind for c in findings.cautions] == ["OverlappingSpeech"]
    assert values(findings)["turns/der_floor"] == pytest.approx(1 / 5)


def test_an_unknown_normaliser_is_refused():
    with pytest.raises(ConfigError, match=r"profiler\.turns\.normaliser"):
        Turns("klingon")


@dataclass
class Meetings:
    """A dataset of meetings; ``tell``: it says who speaks when."""

    tell: bool = True
    name: str = "meetings"

    def load(self, limit: int | None) -> Workload:
        speech = [meeting(f"m{n}") for n in range(3)]
        return workload(speech if self.tell else [replace(each, turns=()) for each in speech])


@pytest.mark.parametrize("tell", [True, False])
def test_a_record_has_the_figures_and_their_files(tmp_path: Path, tell: bool):
    """Whatever else is measured; it is read back as it was written."""
    clock, late = FakeClock(), turns((1, 2, "x", "Hello there."), (2, 4, "y", "Good morning, Ann."))

    def script(batch: AudioBatch, probe: Probe) -> Transcription:
        clock.sleep(0.1)
        return transcription(batch, turns=(late,) * len(batch))

    engine = ScriptedEngine(ScriptedSystem(script, details={"cascade": WHOLE}))
    job = make_job(clock, folder=tmp_path, pipeline=brief())
    job = altered(job, engine=engine, device=FakeDevice(clock), dataset=Meetings(tell))
    record = run(altered(job, profiler={"quality": Quality(), "turns": Turns()}))
    assert record.status == "ok", record.reason
    assert record.values["quality/wer"] == 0
    assert record.values["turns/punctuation_f1"] == 1
    assert ("turns/vad_miss_share" in record.values) == tell
    assert record.values.get("turns/vad_miss_share", 0.25) == 0.25
    assert record.artifacts == ("turns.json", *(f"turns-{n}.rttm" for n in (1, 2, 3)))
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
