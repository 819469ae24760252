"""The section on cascades: what it says and draws of a point that was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.fakes import brief, make_spec, workload
from support.voices import talk

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.batch.fixed import Fixed
from asr_scaling.cascade.chain import Cascade
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.record import RunRecord
from asr_scaling.core.workload import Workload
from asr_scaling.device.fake import FakeAccelerator
from asr_scaling.engine.fake import Fake
from asr_scaling.measure.job import Job, run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.modules import Modules
from asr_scaling.punctuation.fake import FakePunctuation
from asr_scaling.report.build import document, first_words
from asr_scaling.report.document import Figure, Table
from asr_scaling.report.modules.section import sections
from asr_scaling.speaker.fake import FakeSpeaker
from asr_scaling.vad.fake import FakeVad


class Talks:
    name = "talks"

    def load(self, limit: int | None) -> Workload:
        return workload((talk(6),))


def point(tmp_path: Path) -> Point:
    cascade = Cascade(
        FakeVad(device="cpu", per_audio_s=0.002),
        FakePunctuation(device="cpu"),
        FakeSpeaker(device="cpu", per_window_s=0.02),
    )
    system = SystemSpec(
        make_spec(), Fake(fixed_s=0.02), FakeAccelerator(), Fixed(2), cascade=cascade
    )
    profiler = {"latency": Latency(), "modules": Modules()}
    record = run(Job(system, Talks(), profiler, brief(min_iterations=3), folder=tmp_path))
    assert record.status == "ok", record.reason
    return to_point(RunRecord.read(tmp_path / "record.json"))


def test_a_cascade_has_its_table_its_lanes_and_its_advice(tmp_path: Path):
    measured = point(tmp_path)
    (section,) = sections([measured])
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    names = [row.cells[4].text for row in tables["modules"].rows]
    assert names == ["recognition · fake", "vad · fake", "punctuation · fake", "speaker · fake"]
    changes = [row.cells[5].text for row in tables["module-advice"].rows]
    assert "speaker.device=fake" in changes
    (lanes,) = [block for block in section.blocks if isinstance(block, Figure)]
    assert "speaker on cpu" in lanes.alt
    assert "recognition on fake:0" in lanes.alt
    assert "core " in lanes.alt


def test_the_report_says_first_who_keeps_the_processor_busy(tmp_path: Path):
    measured = point(tmp_path)
    made = document([measured], Budgets())
    answer = next(section for section in made.sections if section.name == "answer")
    said = " ".join(str(block) for block in answer.blocks[:2])
    assert "keeps the processor busy" in said
    assert "speaker.device=fake" in said
    assert first_words(made)


def test_without_a_cascade_there_is_no_section(tmp_path: Path):
    measured = point(tmp_path)
    assert sections([replace(measured, values={})]) == ()
