"""What is kept beside records of MLflow:
the run of a point, and the points of a sweep in one file."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from support.studies import BASE, TINY, record, study

from asr_scaling.analysis.points import to_point
from asr_scaling.core.cautions import NOT_TRACKED, caution
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import DataError
from asr_scaling.tracking import untracked
from asr_scaling.tracking._stored_runs import (
    compact,
    forget,
    read_points,
    remember,
    remembered,
    write_points,
)

ONE = record(TINY, 5.0, 2)


def written(folder: Path, records: list[RunRecord], parent: str = "p") -> Path:
    for i, one in enumerate(records):
        place = folder / f"{i}_point"
        one.write(place)
        remember(place, one, parent, f"run{i}")
    return folder


@pytest.mark.parametrize("one", study((TINY, BASE), (5.0, None), (1, 8)), ids=lambda one: one.name)
def test_a_reports_point_is_the_same_of_the_compact_record(one: RunRecord) -> None:
    small = RunRecord.from_json(compact(one).to_json())
    assert to_point(small) == to_point(one)
    assert small.samples
    assert not any(sample.step_s or sample.stages for sample in small.samples)
    assert not small.transcripts


def test_a_point_of_no_calls_too() -> None:
    failed = RunRecord("a", "failed", {"model": {"name": "a"}}, {}, reason="no")
    assert to_point(compact(failed)) == to_point(failed)


def test_points_are_in_the_order_they_began_with_their_runs(tmp_path: Path) -> None:
    records = [
        replace(ONE, name=name, started_at=at) for name, at in (("c", 3.0), ("a", 1.0), ("b", 2.0))
    ]
    file = write_points(written(tmp_path, records), "p")
    assert file is not None
    assert [(run, one.name) for run, one in read_points(file)] == [
        ("run1", "a"),
        ("run2", "b"),
        ("run0", "c"),
    ]


def test_rounds_and_what_the_store_lacks_are_no_points_of_it(tmp_path: Path) -> None:
    lost = replace(ONE, cautions=(caution(NOT_TRACKED, reason="away"),))
    part = replace(ONE, config={**ONE.config, "sweep": {"round": 0}})
    file = write_points(written(tmp_path, [lost, part, ONE]), "p")
    assert file is not None
    assert [run for run, _ in read_points(file)] == ["run2"]
    assert (untracked(lost), untracked(ONE)) == (True, False)


def test_no_file_where_it_would_hide_points(tmp_path: Path) -> None:
    assert write_points(tmp_path, "p") is None
    written(tmp_path, [ONE, ONE])
    assert write_points(tmp_path, "another parent") is None
    forget(tmp_path / "1_point")
    assert write_points(tmp_path, "p") is None


def test_a_run_is_remembered_for_the_very_record(tmp_path: Path) -> None:
    remember(tmp_path, ONE, "p", "run")
    assert remembered(tmp_path, ONE, "p") == "run"
    assert remembered(tmp_path, ONE, "q") is None
    assert remembered(tmp_path, replace(ONE, ended_at=ONE.ended_at + 1), "p") is None
    (tmp_path / "mlflow.json").write_text('{"run": "ru')
    assert remembered(tmp_path, ONE, "p") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"{}\n", mtime=0), gzip.compress(b"[" * 99, mtime=0)[:-9]],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "points.jsonl.gz"
    path.write_bytes(content)
    if content:
        with pytest.raises(DataError, match=r"points\.jsonl\.gz of the sweep's run can't be read"):
            list(read_points(path))
