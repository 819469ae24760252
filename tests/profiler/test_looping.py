"""Figures of texts that loop, by hand: who loops, and how much of errors and time is theirs."""

from __future__ import annotations

from pathlib import Path

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
    utterance,
)

from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.workload import AudioBatch
from asr_scaling.measure.job import run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality

LOOP = "wait " * 9


def figures(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


def measured(tmp_path: Path, size: int, loud: dict[str, str]) -> RunRecord:
    """Four utterances of 1 s; a call takes 0.1 s, and 0.8 s more if one of its texts loops.

    ``loud``: id → its hypothesis, the reference elsewhere.
    """
    clock = FakeClock()

    def script(batch: AudioBatch, probe: Probe) -> Transcription:
        texts = tuple(loud.get(u.id, u.reference) for u in batch.utterances)
        clock.sleep(0.1 + 0.8 * any(text == LOOP for text in texts))
        return transcription(batch, texts=texts)

    job = make_job(clock, durations=(1.0,) * 4, size=size, folder=tmp_path, pipeline=brief())
    job = altered(job, engine=ScriptedEngine(ScriptedSystem(script)), device=FakeDevice(clock))
    return run(altered(job, profiler={"latency": Latency(), "quality": Quality("none")}))


def test_shares_of_errors_and_time_are_those_of_the_looping_utterance(tmp_path: Path):
    record = measured(tmp_path, 1, {"u2": LOOP, "u3": "text 4"})
    values = record.values
    assert values["quality/looping_share"] == 0.25
    assert values["quality/wer"] == pytest.approx((9 + 1) / 8)
    assert values["quality/wer_without_looping"] == pytest.approx(1 / 6)
    assert values["throughput/rtfx"] == pytest.approx(4 / 1.2)
    assert values["throughput/rtfx_without_looping"] == pytest.approx(3 / 0.3)
    (said,) = [c.message for c in record.cautions if c.kind == "LoopingText"]
    assert "on 1 of 4 utterances (u2)" in said
    assert "90% of the word errors are theirs" in said
    assert "75% of the time of timed calls" in said
    assert [row["id"] for row in record.transcripts if row.get("looping")] == ["u2"]


def test_in_a_batch_the_whole_call_is_left_out(tmp_path: Path):
    values = measured(tmp_path, 2, {"u0": LOOP}).values
    assert values["throughput/rtfx"] == pytest.approx(4 / 1.0)
    assert values["throughput/rtfx_without_looping"] == pytest.approx(2 / 0.1)
    assert values["quality/wer_without_looping"] == 0


def test_where_every_call_loops_there_is_no_rtfx_without(tmp_path: Path):
    record = measured(tmp_path, 4, {"u0": LOOP})
    assert "every timed call contains" in record.unavailable["throughput/rtfx_without_looping"]


def test_without_a_loop_nothing_is_said_and_both_figures_agree(tmp_path: Path):
    record = measured(tmp_path, 1, {})
    values = record.values
    assert values["quality/looping_share"] == 0
    assert values["throughput/rtfx_without_looping"] == values["throughput/rtfx"]
    assert "LoopingText" not in {caution.kind for caution in record.cautions}


def test_a_loop_on_silence_counts_although_it_has_no_word_error():
    found = (utterance(1.0, "silent", ""), utterance(1.0, "spoken", "a word"))
    system = ScriptedSystem(
        lambda batch, probe: transcription(
            batch, texts=tuple(u.reference or LOOP for u in batch.utterances)
        )
    )
    findings = Quality("none").measure(make_session(system, found))
    assert figures(findings)["quality/looping_share"] == 0.5
    said, _ = sorted(findings.cautions, key=lambda caution: caution.kind, reverse=True)
    assert "(silent): no word error is counted and no timed call contains them" in said.message


def test_a_long_list_of_names_is_cut():
    found = tuple(utterance(1.0, f"u{i}") for i in range(8))
    system = ScriptedSystem(lambda batch, probe: transcription(batch, texts=(LOOP,) * len(batch)))
    (said,) = Quality("none").measure(make_session(system, found)).cautions
    assert "on 8 of 8 utterances (u0, u1, u2, u3, u4 and 3 more)" in said.message
