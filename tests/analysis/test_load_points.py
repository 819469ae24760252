"""Sources → points: folders, files, gzipped ones and runs in MLflow give the same points,
one record at a time."""

from __future__ import annotations

import functools
import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.studies import BASE, TINY, record, study

from asr_scaling.analysis.load_points import points
from asr_scaling.analysis.points import Point
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError, DataError, TrackingError
from asr_scaling.records.merge import merge
from asr_scaling.records.read import each_record, readable_records
from asr_scaling.records.record_sources import records_of
from asr_scaling.tracking.mlflow import Mlflow

RECORDS = study((TINY, BASE), (5.0, 30.0), (1, 4))


def facts(found: list[Point]) -> list[tuple[str, str, float]]:
    return [(point.name, point.system, point.values["latency/mean_s"]) for point in found]


EXPECTED = [
    (one.name, one.config["model"]["name"], one.values["latency/mean_s"]) for one in RECORDS
]


def sweep(folder: Path) -> Path:
    for i, one in enumerate(RECORDS):
        one.write(folder / f"{i}_point")
    return folder


def lines(path: Path) -> Path:
    rows = [json.dumps({"sweep": "s", **one.to_json()}, ensure_ascii=False) for one in RECORDS]
    path.write_text("\n".join([*rows[:3], "", *rows[3:]]) + "\n", encoding="utf-8")
    return path


def zipped(path: Path) -> Path:
    target = path.with_name(f"{path.name}.gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return target


def zipped_sweep(folder: Path) -> Path:
    for i in range(len(RECORDS)):
        zipped(sweep(folder) / f"{i}_point" / "record.json")
    return folder


SOURCES = {
    "sweep": sweep,
    "zipped sweep": zipped_sweep,
    "lines": lambda folder: lines(folder / "records.jsonl"),
    "zipped lines": lambda folder: zipped(lines(folder / "records.jsonl")),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_gives_the_same_points_and_each_its_record_again(
    kind: str, tmp_path: Path
) -> None:
    source = SOURCES[kind](tmp_path)
    found = points([str(source)])
    assert facts(found) == EXPECTED
    assert [point.load() for point in found] == RECORDS
    assert [one for one, _ in records_of(str(source))] == RECORDS  # what a comparison reads


@pytest.mark.parametrize("name", ["record.json", "record.json.gz"])
def test_the_file_or_folder_of_one_point(name: str, tmp_path: Path) -> None:
    path = RECORDS[3].write(tmp_path)
    path = zipped(path) if name.endswith(".gz") else path
    for source in (tmp_path, path):
        (point,) = points([str(source)])
        assert (point.name, point.load()) == (RECORDS[3].name, RECORDS[3])


def test_a_record_beside_its_gzipped_copy_is_one_point(tmp_path: Path) -> None:
    path = RECORDS[0].write(tmp_path)
    (tmp_path / "record.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert len(points([str(tmp_path)])) == len(readable_records(tmp_path, [])) == 1


def test_points_of_several_sweeps_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    sources = []
    for name, dtype in (("a", "float32"), ("b", "bfloat16")):
        one = record(TINY, 5.0, 1)
        engine = {**one.config["engine"], "dtype": dtype}
        replace(one, config={**one.config, "engine": engine}).write(tmp_path / name)
        sources.append(str(tmp_path / name))
    systems = ["whisper_tiny_en", "whisper_tiny_en · dtype=bfloat16"]
    assert [point.system for point in points(sources)] == systems


def test_rounds_are_one_point(tmp_path: Path) -> None:
    parts = []
    for k in range(2):
        one = record(TINY, 5.0, 1, noise=0.1)
        parts.append(replace(one, config={**one.config, "sweep": {"round": k, "rounds": 2}}))
        parts[k].write(tmp_path / "rounds" / str(k) / "0_point")
    record(BASE, 5.0, 1).write(tmp_path / "1_point")
    whole = merge(parts)
    for _ in range(2):  # while the sweep has rounds only, and when it is whole
        found = points([str(tmp_path)])
        assert [(point.model, point.calls) for point in found] == [
            ("whisper_tiny_en", 16),
            ("whisper_base", 8),
        ]
        assert found[0].load() == whole
        whole.write(tmp_path / "0_point")


def test_records_are_read_one_at_a_time(tmp_path: Path) -> None:
    """A damaged record is met when its turn comes, not before;
    but then it is an error that names it."""
    sweep(tmp_path)
    (tmp_path / "2_point" / "record.json").write_text("{")
    found: Iterator[tuple[RunRecord, object]] = each_record(tmp_path)
    assert [next(found)[0].name for _ in range(2)] == [RECORDS[0].name, RECORDS[1].name]
    with pytest.raises(DataError, match=r"2_point/record\.json can't be read"):
        next(found)


@pytest.mark.parametrize("change", [Path.unlink, functools.partial(os.truncate, length=0)])
def test_a_record_that_is_gone_says_so(tmp_path: Path, change: object) -> None:
    (point,) = points([str(RECORDS[0].write(tmp_path))], "")
    change(tmp_path / "record.json")  # type: ignore[operator]
    with pytest.raises(DataError, match=r"record\.json"):
        point.load()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("records.jsonl", b'{"schema": 1}\n'),
        ("records.jsonl", b"[1]\n"),
        ("records.jsonl", b""),
        ("records.jsonl", b"\xff\xfe\n"),
        ("records.jsonl.gz", b"no gzip"),
        ("records.jsonl.gz", gzip.compress(b"{}" * 999, mtime=0)[:-12]),
    ],
)
def test_a_damaged_file_is_one_sentence_that_names_it(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"records\.jsonl") as caught:
        points([str(tmp_path / name)])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        (
            "study",
            ConfigError,
            r"'study' here: name the folder of a sweep, a record file, or mlflow:study",
        ),
        ("no/such/folder", DataError, r"no/such/folder can't be read"),
        ("", DataError, r"holds no record\.json"),
        ("mlflow:abc", TrackingError, r"There is no MLflow database"),
    ],
)
def test_what_is_no_source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    kind: type[AsrScalingError],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=said):
        points([source or str(tmp_path)], f"sqlite:///{tmp_path}/none.db")


@pytest.mark.usefixtures("mlflow_database")
@pytest.mark.filterwarnings("ignore")  # MLflow's own use of SQLAlchemy and pandas
def test_runs_and_experiments_in_mlflow(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    import mlflow

    request.addfinalizer(functools.partial(mlflow.set_tracking_uri, mlflow.get_tracking_uri()))
    sink = Mlflow(f"sqlite:///{tmp_path}/mlflow.db", "speech", str(tmp_path / "artifacts"))
    parents = []
    for i in range(2):
        parents.append(sink.open(f"sweep {i}", {}))
        stored = {**RECORDS[i].dataset, "source": "made here"}
        one = replace(RECORDS[i], dataset=stored, started_at=RECORDS[i].started_at + i)
        folder = tmp_path / str(i)
        one.write(folder)
        sink.write(one, folder, parents[i])
    assert facts(points([f"mlflow:{parents[1]}"], sink.uri)) == EXPECTED[1:2]
    everything = points(["mlflow:speech"], sink.uri)
    assert facts(everything) == EXPECTED[:2]
    assert everything[0].load().samples == RECORDS[0].samples
    run_id = json.loads((tmp_path / "0" / "mlflow.json").read_text())["run"]
    assert facts(points([f"mlflow:{run_id}"], sink.uri)) == EXPECTED[:1]
    empty = sink.open("nothing yet", {})
    with pytest.raises(ConfigError, match="has no record"):
        points([f"mlflow:{empty}"], sink.uri)
    with pytest.raises(TrackingError, match="abc"):
        points(["mlflow:abc"], sink.uri)
