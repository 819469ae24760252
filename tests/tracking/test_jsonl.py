"""One line of JSON a point."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes import make_job

from asr_scaling.core.checksum import verified
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import TrackingError
from asr_scaling.measure.job import run
from asr_scaling.records.read import Damaged, each_record
from asr_scaling.tracking.jsonl import Jsonl


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def readable(path: Path) -> list[str]:
    """Names of the records that can be read."""
    damaged: Damaged = []
    return [record.name for record, _ in each_record(path, damaged)]


@contextmanager
def room(size: int) -> Iterator[None]:
    """In this block no file can grow beyond ``size`` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_sweep_of_two_points(tmp_path: Path):
    path = tmp_path / "new" / "records.jsonl"
    sink = Jsonl(str(path))
    token = sink.open("sweep 1", {})
    records = [run(make_job(tracking=sink, name=name), parent=token) for name in ("a", "b")]
    sink.close(token, "FINISHED")
    found = lines(path)
    assert [line.pop("sweep") for line in found] == ["sweep 1", "sweep 1"]
    assert list(map(verified, found)) == json.loads(
        json.dumps([record.to_json() for record in records])
    )
    assert [RunRecord.from_json(line).name for line in found] == ["a", "b"]
    assert str(path) in sink.hint


def test_open_keeps_what_is_there(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    path.write_text("{}\n")
    Jsonl(str(path)).open("sweep", {})
    assert path.read_text() == "{}\n"


def test_one_record_is_one_line_whatever_it_says(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    record = replace(run(make_job()), name="two\nlines\u2028ü")
    Jsonl(str(path)).write(record, tmp_path, None)
    raw = path.read_bytes()
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["name"] == "two\nlines\u2028ü"
    assert json.loads(raw)["sweep"] is None


def test_a_round_is_no_line(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    record = run(make_job(config={"sweep": {"interleave": True, "rounds": 3, "round": 0}}))
    Jsonl(str(path)).write(record, tmp_path, None)
    assert not path.exists()


@pytest.mark.parametrize("action", ["open", "write"])
def test_a_file_that_cannot_be_written(tmp_path: Path, action: str):
    sink = Jsonl(str(tmp_path))  # a folder
    with pytest.raises(TrackingError, match="can't be written") as caught:
        sink.open("sweep", {}) if action == "open" else sink.write(run(make_job()), tmp_path, None)
    assert str(tmp_path) in str(caught.value)


def test_a_record_is_one_line_however_often_it_is_written(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    record = run(make_job())
    for each in (record, record, replace(record, started_at=record.started_at + 1)):
        Jsonl(str(path)).write(each, tmp_path, "sweep")
    assert [line["started_at"] for line in lines(path)] == [
        record.started_at,
        record.started_at + 1,
    ]


def test_a_sweep_that_goes_on_takes_out_its_lines_which_it_writes_anew(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    sink, ok = Jsonl(str(path)), run(make_job())
    failed = replace(ok, name="failed", status="failed", reason="why", started_at=ok.started_at + 1)
    too_large = replace(ok, name="too large", status="out_of_memory", started_at=ok.started_at + 2)
    for record in (ok, failed, too_large):
        sink.write(record, tmp_path, "this")
    sink.write(replace(failed, name="theirs", started_at=ok.started_at + 3), tmp_path, "other")
    with path.open("a") as file:
        file.write('{"sweep": "this", "na')  # a process killed in the middle of a line
    assert sink.open("name", {}, "this") == "this"
    assert [line["name"] for line in lines(path)] == ["theirs"]


def test_wherever_a_line_was_cut_the_next_record_is_on_one_of_its_own(tmp_path: Path):
    path, first = tmp_path / "records.jsonl", run(make_job(name="first"))
    second = replace(first, name="second", started_at=first.started_at + 1)
    Jsonl(str(path)).write(first, tmp_path, "sweep")
    line = path.read_bytes()
    for size in (*range(1, len(line) - 300, 97), *range(len(line) - 300, len(line) + 1)):
        path.write_bytes(line[:size])
        Jsonl(str(path)).write(second, tmp_path, "sweep")
        whole = size >= len(line) - 1  # without its line end it is whole
        assert readable(path) == ["first", "second"][not whole :], size
        Jsonl(str(path)).write(first, tmp_path, "sweep")  # as when the sweep goes on
        assert sorted(readable(path)) == ["first", "second"], size


def test_half_a_line_is_named_and_the_others_are_read(tmp_path: Path):
    path, record = tmp_path / "records.jsonl", run(make_job())
    path.write_bytes(b'{"sweep": null, "name": "ha')
    Jsonl(str(path)).write(record, tmp_path, None)
    damaged: Damaged = []
    assert [found.started_at for found, _ in each_record(path, damaged)] == [record.started_at]
    (error,) = damaged
    assert str(error).startswith(f"{path}, at byte 0, is a line that was cut or damaged")


@pytest.mark.parametrize("more", [0, 1, 1000])
def test_a_full_disk_leaves_no_half_line(tmp_path: Path, more: int):
    path, record = tmp_path / "records.jsonl", run(make_job())
    Jsonl(str(path)).write(record, tmp_path, None)
    before, later = path.read_bytes(), replace(record, started_at=record.started_at + 1)
    with room(len(before) + more), pytest.raises(TrackingError, match="can't be written"):
        Jsonl(str(path)).write(later, tmp_path, None)
    assert path.read_bytes() == before
    Jsonl(str(path)).write(later, tmp_path, None)
    assert len(readable(path)) == 2


def test_a_sweep_that_goes_on_loses_no_line_that_another_one_appends_meanwhile(tmp_path: Path):
    from concurrent.futures import ThreadPoolExecutor

    path, record = tmp_path / "records.jsonl", run(make_job())
    times = [record.started_at + i for i in range(40)]

    def append(start: float) -> None:
        Jsonl(str(path)).write(replace(record, started_at=start), tmp_path, "theirs")

    def go_on(_: float) -> None:
        Jsonl(str(path)).open("sweep", {}, "ours")

    append(record.started_at - 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda start: (append(start), go_on(start)), times))
    assert sorted(float(str(line["started_at"])) for line in lines(path))[1:] == times
