"""A cascade on the command line: measured, named, reported, recommended and loaded again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import QUICK, Cli, records

from asr_scaling.core.module_use import BETWEEN, RECOGNITION

FAKES = (
    "model=whisper_tiny_en",
    "device=fake",
    "vad=fake",
    "vad.device=cpu",
    "punctuation=fake",
    "speaker=fake",
    "dataset=meetings",
    "dataset.minutes=1",
    "pipeline.utterances=1",
)
MODULES = ("vad", RECOGNITION, "punctuation", "speaker")


def test_modules_are_measured_and_their_times_add_up(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        *QUICK, *FAKES, "batch=seconds", "batch.seconds=20", "profiler=[latency,modules,turns]"
    )
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path)
    assert record.name == "whisper_tiny_en fake fake b20s"
    assert set(record.modules) == {"vad", "punctuation", "speaker"}
    values = record.values
    whole = sum(values[f"module/{name}/wall_s"] for name in (*MODULES, BETWEEN))
    assert whole == pytest.approx(values["latency/mean_s"], rel=0.02)
    every = sum(values[f"module/{name}/cpu_share"] for name in (*MODULES, BETWEEN))
    assert every == pytest.approx(1.0)
    assert values["turns/vad_miss_share"] < 0.2
    assert {row["module"] for row in record.system["lanes"]["modules"]} == set(MODULES)
    assert record.batch == round(
        values[f"module/{RECOGNITION}/items"] / values[f"module/{RECOGNITION}/calls"]
    )


def test_the_complaint_is_replayed_and_its_cure_is_named_and_kept(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "experiment=cascade_complaint", "tracking=jsonl", "sweep.selftest=false",
        "dataset.minutes=1", "pipeline.warmup_seconds=0", "pipeline.metronome=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (page,) = tmp_path.rglob("report.md")
    answer = page.read_text(encoding="utf-8").partition("## Answer")[2].partition("\n**")[0]
    assert "**speaker** keeps the processor busy" in answer
    assert "`speaker.device=fake` (at most" in answer
    assert "Tried here:" in answer
    assert list(page.parent.glob("figures/lanes-*.svg"))


def test_a_point_is_told_by_its_modules(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *QUICK, *FAKES[:2], *FAKES[4:], "vad=none,fake", "profiler=[latency]")
    assert done.returncode == 0, done.stderr
    names = {record.name for record in records(tmp_path) if record.status == "ok"}
    assert names == {
        "whisper_tiny_en fake fake b1 vad=none",
        "whisper_tiny_en fake fake b1 vad=fake",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("batch=seconds",), "batch=seconds is for the segments of recordings"),
        (("cascade.overlap=true",), "there is none beside recognition"),
        (("vad=silero", "batch=max"), "batch=max can't be had in a cascade"),
        (("vad=silero", "vad.batch=zero"), "vad.batch must be a whole number; got 'zero'"),
        (("speaker=resemblyzer", "speaker.threshold=3"), "speaker.threshold must be between 0"),
        (("device=fake", "engine=transformers"), "device=fake computes nothing"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = cli(*QUICK, "model=whisper_tiny_en", *options)
    assert done.returncode == 1
    (record,) = records(tmp_path)
    assert record.reason is not None
    assert said in record.reason
    assert record.reason.count(". ") == 0
