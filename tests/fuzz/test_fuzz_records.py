"""Whatever a record or ``sweep.json`` holds:
refused in one sentence, or nothing in it is lost or misread."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from support.fuzzing import cases, changed, damaged, sentence, to_bytes

from asr_scaling.analysis.points import to_point
from asr_scaling.core.cautions import Caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.older_records import as_now
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import Interval
from asr_scaling.core.typed_json import parse
from asr_scaling.errors import DataError
from asr_scaling.records.merge import merge
from asr_scaling.records.read import each_record, readable_records
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest
from asr_scaling.util.redact import printable

CORPUS = Path(__file__).parent / "corpus" / "record"
RECORD = RunRecord(
    "whisper fake cpu b2",
    "ok",
    {
        "model": {"name": "whisper", "parameters": 3},
        "engine": {"_target_": "asr_scaling.engine.fake.Fake", "speed": 1.5},
        "device": {"_target_": "asr_scaling.device.cpu.Cpu"},
        "dataset": {"name": "demo", "length_s": 5},
        "batch": {"size": 2},
        "optimisation": {"int8": {"bits": 8}},
        "sweep": {"rounds": 3, "round": 1},
    },
    {"host": "h", "cpu": "c", "cpu_cores": 2, "device": {"gpu": None}},
    system={
        "model": {"name": "whisper"},
        "engine": "fake",
        "device": "cpu",
        "optimisations": ["int8"],
        "facts": {"weights": "random", "parameters": 3, "notes": ["n"]},
        "memory_by_batch": [{"batch": 1}],
    },
    dataset={"name": "demo", "utterances": 2, "synthetic": True, "left_out": {"no words": 1}},
    scope="s",
    samples=tuple(
        Sample(
            ("u1", "u2"),
            3.0,
            3.0,
            0.5 + i / 100,
            {"encoder": 0.2, "other": 0.3},
            0.1,
            (0.01, 0.02),
            (3, 4),
            7.0,
        )
        for i in range(3)
    ),
    metrics=(
        Metric("latency/mean_s", 0.51, 3, Interval(0.5, 0.6)),
        Metric("energy/total_j", 2.0, 1),
        Metric("memory/peak_rss_bytes", 1e9),
    ),
    unavailable={"latency/p99_s": "too few calls"},
    cautions=(Caution("Kind", "message", "advice"),),
    tags={"energy/method": "estimated"},
    transcripts=({"id": "u1", "text": "é"},),
    artifacts=("trace.json",),
    repeats={"energy/total_j": (1.0, 3.0)},
    job_s={"load": 1.0},
    started_at=1.5,
    ended_at=2.5,
    identity="abc",
)
PLAIN = json.loads(json.dumps(RECORD.to_json()))
SWEEP = {
    "command": ["batch=1,2"],
    "points": ["batch.size=1", "batch.size=2"],
    "parent": "t",
    "tracking": {"uri": "u"},
}


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def same(given: Any, kept: Any) -> bool:
    """Whether everything ``given`` is in ``kept``; null is the same as absent."""
    if given is None:
        return kept is None
    if isinstance(given, dict):
        return isinstance(kept, dict) and all(
            same(value, kept.get(key)) for key, value in given.items()
        )
    if isinstance(given, list):
        return isinstance(kept, list) and len(given) == len(kept) and all(map(same, given, kept))
    if isinstance(given, float) and not math.isfinite(given):
        return str(given) == kept
    return isinstance(given, bool) == isinstance(kept, bool) and given == kept


def used(record: RunRecord) -> None:
    """What reports and sweeps ask of a record."""
    _ = (
        record.round,
        record.engine,
        record.optimisations,
        record.device,
        record.length_s,
        record.batch,
    )
    assert record.outcome
    assert to_point(record).name == printable(record.name)
    assert merge([record, record]).name == record.name


def taken(value: Any) -> None:
    """A record of JSON values: all of it, or one sentence."""
    if not isinstance(value, dict):
        return
    try:
        record = RunRecord.from_json(value)
    except DataError as error:
        sentence(error)
        return
    assert same(as_now(value), json.loads(json.dumps(record.to_json(), allow_nan=False)))
    used(record)
    assert RunRecord.read(record.write(Path(place().name))) == record


def test_what_is_damaged_below_is_whole_here():
    assert RunRecord.from_json(PLAIN) == RECORD
    taken(PLAIN)


@cases("record", value=changed([PLAIN]))
def test_changed_records(value: Any):
    taken(value)


@cases(
    "record bytes",
    data=damaged([to_bytes(PLAIN), json.dumps(PLAIN, indent=1, ensure_ascii=False).encode()]),
)
def test_damaged_records(data: bytes):
    path = Path(place().name) / RECORD_FILE
    path.write_bytes(data)
    try:
        record = RunRecord.read(path)
    except DataError as error:
        sentence(error)
    else:
        assert same(json.loads(data), json.loads(json.dumps(record.to_json(), allow_nan=False)))
        used(record)


LINE = to_bytes(PLAIN)
FILES = [b"\n".join([LINE, LINE]), to_bytes({"sweep": "t", **PLAIN}) + b"\n"]


@cases(
    "record files",
    data=damaged([*FILES, *map(gzip.compress, FILES)]) | damaged(FILES).map(gzip.compress),
    zipped=st.booleans(),
)
def test_damaged_files_of_records(data: bytes, zipped: bool):
    """Each record that is given is whole;
    the folder that a sweep ends with shows what can be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (f"{RECORD_FILE}.gz" if zipped else RECORD_FILE)
        path.write_bytes(data)
        for source in (path, Path(folder)):
            try:
                for record, again in each_record(source):
                    assert again() == record
            except DataError as error:
                sentence(error)
        readable_records(Path(folder), [])


@cases("sweep file", data=changed([SWEEP]).map(to_bytes) | damaged([to_bytes(SWEEP)]))
def test_damaged_sweep_files(data: bytes):
    folder = Path(place().name) / "sweep"
    folder.mkdir(exist_ok=True)
    (folder / SWEEP_FILE).write_bytes(data)
    try:
        found = SweepManifest.read(folder)
    except DataError as error:
        sentence(error)
    else:
        assert found is not None
        kept = {name: getattr(found, name) for name in SWEEP}
        assert same(json.loads(data), json.loads(json.dumps(kept)))
        found.write(folder)
        assert SweepManifest.read(folder) == found


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*")), ids=lambda path: path.name)
def test_what_was_found_before(path: Path):
    try:
        for record, _ in each_record(path):
            used(record)
    except DataError as error:
        sentence(error)
    with contextlib.suppress(ValueError):
        taken(parse(path.read_bytes()))
