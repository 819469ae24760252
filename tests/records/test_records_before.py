"""Records that the package wrote before its folders were laid out anew are read by every verb.

``tests/data/records_before`` holds the folder of a sweep and that of a search, both of engine=fake;
``docs/results`` holds committed studies of real models.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from asr_scaling.analysis.recommendation import answers
from asr_scaling.cli import compare, recommend, report, sync
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.records.record_sources import records_of
from asr_scaling.search.searched_points import outcome_of

ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "tests/data/records_before/sweep"
SEARCH = ROOT / "tests/data/records_before/search"
STUDY = ROOT / "docs/results/amd-epyc-2-cores/records.jsonl.gz"
RTFX = {
    "whisper_tiny_en fake cpu b1": 107.986,
    "whisper_tiny_en fake cpu b8": 501.123,
    "whisper_base_en fake cpu b1": 67.849,
    "whisper_base_en fake cpu b8": 755.506,
}


@pytest.mark.parametrize("kept", ["points.jsonl.gz", None])
def test_a_sweep_is_read_from_its_records_and_from_their_light_copy(
    tmp_path: Path, kept: str | None
) -> None:
    folder = shutil.copytree(SWEEP, tmp_path / "sweep")
    if kept is None:
        (folder / "points.jsonl.gz").unlink()
    records = [record for record, _ in records_of(str(folder), light=True)]
    measured = {r.name: r.values["throughput/rtfx"] for r in records if r.status == "ok"}
    assert measured == pytest.approx(RTFX, rel=1e-3)
    assert sorted(r.name for r in records if r.status == "out_of_memory") == [
        "whisper_base_en fake cpu b16",
        "whisper_tiny_en fake cpu b16",
    ]


def test_report_of_a_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(SWEEP), "-o", str(tmp_path), "--no-mlflow"]) == 0
    said = capsys.readouterr().out
    assert "slowest of 17 calls 46.8 ms; RTFx 108 ± 21; WER 12.8 ± 8.1 % (synthetic" in said
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "out of memory: A batch of 16 does not fit; use batch.size" in page
    assert len((tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 7


def test_report_of_a_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(SEARCH), "-o", str(tmp_path), "--no-mlflow"]) == 0
    assert "whisper_tiny_en · cpu · batch 1, provisionally (RTFx 113" in capsys.readouterr().out
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "the fastest other, fake + pinned_threads, was 1.10 × as fast, WER +0.0 ± 100 " in page
    outcome = outcome_of([str(SEARCH)])
    assert outcome is not None
    assert [left.kind for left in outcome.left] == ["refused"]


def test_report_of_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(STUDY), "-o", str(tmp_path), "--no-mlflow"]) == 0
    assert "(RTFx 14.3 ± 1.0; WER 3.5 ± 2.2 %)" in capsys.readouterr().out
    committed = STUDY.parent
    for name in ("report.md", "metrics.csv"):
        assert (tmp_path / name).read_bytes() == (committed / name).read_bytes()


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    one, eight = (SWEEP / f"{i}_whisper_tiny_en_cpu_b{b}" for i, b in ((0, 1), (1, 8)))
    assert compare.main([str(one), str(eight), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["comparisons"]
    rows = {row["metric"]: row for row in found["rows"]}
    assert rows["throughput/rtfx"]["relative"] == pytest.approx(3.659, abs=5e-4)
    assert rows["throughput/rtfx"]["verdict"] == "faster"
    assert rows["quality/wer"]["absolute"] == 0.0
    assert compare.main([str(eight), str(one), "--fail-if", "throughput/rtfx<-5%"]) == 1
    assert compare.main([str(SWEEP), str(SWEEP)]) == 0
    failed = SWEEP / "2_whisper_tiny_en_cpu_b16"
    assert compare.main([str(failed), str(eight), "--fail-if", "throughput/rtfx<-5%"]) == 2


def test_recommend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = next(record for record, _ in records_of(str(STUDY)))
    monkeypatch.setattr(answers, "environment", lambda: record.environment)
    out = tmp_path / "recommended.yaml"
    assert recommend.main([str(STUDY), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "For fragments of 15 s of folder: whisper_base · cpu · batch 16 (" in said
    assert "Undecided: whisper_tiny_en · cpu · batch 16 is 2.04 × as fast (RTFx 29.2" in said
    assert "9 points of fragments of 60 s (--length 60)" in said.splitlines()[0]
    assert "Chosen among 11 configurations." in said
    assert "batch:\n  size: 16" in out.read_text(encoding="utf-8")


def test_recommend_leaves_out_what_no_model_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = RunRecord.read(SWEEP / "0_whisper_tiny_en_cpu_b1" / RECORD_FILE)
    monkeypatch.setattr(answers, "environment", lambda: record.environment)
    assert recommend.main([str(SWEEP), "-o", str(tmp_path / "recommended.yaml")]) == 1
    assert "Left out: 6 of engine=fake" in capsys.readouterr().out
    assert not (tmp_path / "recommended.yaml").exists()


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where MLflow keeps its artifacts
    folder = shutil.copytree(SWEEP, tmp_path / "sweep")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert sync.main([str(folder), "--tracking-uri", uri]) == 0
    assert "6" in capsys.readouterr().out
    stored = [record for record, _ in records_of("mlflow:asr_scaling", uri)]
    measured = {r.name: r.values["throughput/rtfx"] for r in stored if r.status == "ok"}
    assert measured == pytest.approx(RTFX, rel=1e-3)
