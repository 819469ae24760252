"""Records: what is written is what is read, and what can't be read says so in one sentence."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr_scaling.core.cautions import Caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.metrics import METRICS
from asr_scaling.core.record import SCHEMA_VERSION, RunRecord, choices
from asr_scaling.core.sample import Sample
from asr_scaling.errors import ConfigError, DataError

NUMBERS = st.floats(-1e100, 1e100)
TIMES = st.floats(1e-100, 1e100)
TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OPTIONS = st.dictionaries(TEXT, JSON, max_size=4)
STRINGS = st.dictionaries(TEXT, TEXT, max_size=3)
OLD = "memory/idle_rss_bytes"
NAMES = st.sampled_from([name.replace("*", "some") for name in METRICS if name != OLD])
SAMPLES = st.builds(
    Sample,
    utterances=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    audio_s=TIMES,
    processed_s=NUMBERS,
    total_s=TIMES,
    stages=st.dictionaries(TEXT, NUMBERS, max_size=3),
    first_token_s=st.none() | NUMBERS,
    step_s=st.lists(NUMBERS, max_size=3).map(tuple),
    tokens=st.lists(st.integers(), max_size=3).map(tuple),
    started_at=NUMBERS,
)
RECORDS = st.builds(
    RunRecord,
    name=TEXT,
    status=st.sampled_from(["ok", "out_of_memory", "failed", "interrupted"]),
    config=OPTIONS,
    environment=OPTIONS,
    reason=st.none() | TEXT,
    system=OPTIONS,
    dataset=OPTIONS,
    scope=TEXT,
    samples=st.lists(SAMPLES, max_size=3).map(tuple),
    metrics=st.lists(
        st.builds(Metric, NAMES, NUMBERS, st.none() | st.integers(0)), unique_by=lambda m: m.name
    ).map(tuple),
    unavailable=STRINGS,
    cautions=st.lists(st.builds(Caution, TEXT, TEXT, TEXT), max_size=3).map(tuple),
    tags=STRINGS,
    transcripts=st.lists(OPTIONS, max_size=3).map(tuple),
    artifacts=st.lists(TEXT, max_size=3).map(tuple),
    job_s=st.dictionaries(TEXT, NUMBERS, max_size=3),
    started_at=NUMBERS,
    ended_at=NUMBERS,
    schema=st.just(SCHEMA_VERSION),
)
RECORD = RunRecord(
    "point",
    "ok",
    {"a": 1},
    {"host": "h"},
    samples=(Sample(("u",), 1.0, 1.0, 0.5, {"encoder": 0.5}),),
    metrics=(Metric("latency/mean_s", 0.5, 1),),
    cautions=(Caution("Kind", "message", "advice"),),
)
WRITING = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def written(tmp_path: Path, **changes: Any) -> Path:
    path = RECORD.write(tmp_path)
    data = {key: value for key, value in (RECORD.to_json() | changes).items() if value is not ...}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@given(RECORDS)
def test_json_gives_an_equal_record_back(record: RunRecord):
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False))) == record


@WRITING
@given(RECORDS)
def test_a_written_record_is_read_back(tmp_path: Path, record: RunRecord):
    assert RunRecord.read(record.write(tmp_path)) == record


def test_values_and_units():
    assert RECORD.values == {"latency/mean_s": 0.5}
    assert RECORD.to_json()["metrics"] == {
        "latency/mean_s": {"value": 0.5, "unit": "s", "better": "lower", "n": 1}
    }
    assert "n" not in Metric("memory/weights_bytes", 3).to_json()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_is_a_finite_number(value: float):
    with pytest.raises(DataError, match=r"latency/mean_s.*unavailable"):
        Metric("latency/mean_s", value)


def test_a_metric_is_in_the_table():
    with pytest.raises(ConfigError, match="'latency/typo_s' is not in the table"):
        Metric("latency/typo_s", 1.0)


class TestUnreadable:
    def refused(self, path: Path, *words: str) -> None:
        with pytest.raises(DataError) as caught:
            RunRecord.read(path)
        message = str(caught.value)
        assert "\n" not in message
        assert message.endswith("measure the point again.")
        for word in words:
            assert word in message

    def test_missing(self, tmp_path: Path):
        self.refused(tmp_path / "none.json", "none.json")

    @pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1', b"\xff\xfe", b"nonsense"])
    def test_not_json(self, tmp_path: Path, content: bytes):
        path = tmp_path / "record.json"
        path.write_bytes(content)
        self.refused(path, "record.json")

    @pytest.mark.parametrize("content", ["[]", "1", "null", '"text"'])
    def test_not_a_record(self, tmp_path: Path, content: str):
        path = tmp_path / "record.json"
        path.write_text(content)
        self.refused(path, "not a record")

    @pytest.mark.parametrize("schema", [0, 2, "1", None, ...])
    def test_another_schema(self, tmp_path: Path, schema: Any):
        self.refused(written(tmp_path, schema=schema), "schema 1")

    @pytest.mark.parametrize(
        "damage",
        [
            {"samples": ...},
            {"metrics": ...},
            {"name": ...},
            {"samples": 5},
            {"samples": [{**RECORD.to_json()["samples"][0], "utterances": []}]},
            {"samples": [{**RECORD.to_json()["samples"][0], "total_s": 0}]},
            {"samples": [{"audio_s": 1.0}]},
            {"samples": ["text"]},
            {"metrics": []},
            {"metrics": {"latency/mean_s": {"unit": "s"}}},
            {"metrics": {"latency/mean_s": {"value": "fast", "unit": "s", "better": "lower"}}},
            {"metrics": {"latency/mean_s": {"value": 500.0, "unit": "ms", "better": "lower"}}},
            {
                "metrics": {
                    "latency/mean_s": {"value": 0.5, "unit": "s", "better": "lower", "low": 0.4}
                }
            },
            {"metrics": {"latency/mean_s": {"value": 10**400, "unit": "s", "better": "lower"}}},
            {"status": "fine"},
            {"name": None},
            {"config": []},
            {"config": {"device": 5}},
            {"samples": [{**RECORD.to_json()["samples"][0], "total_s": "0.5"}]},
            {"job_s": {"load": True}},
            {"tags": {"deep": [[]]}},
            {"metrics": {"latency/mean_s": 0.5}},
            {"cautions": [{"kind": "Kind"}]},
            {"cautions": None},
            {"unheard_of": 1},
        ],
        ids=str,
    )
    def test_damaged(self, tmp_path: Path, damage: dict[str, Any]):
        self.refused(written(tmp_path, **damage), "damaged")

    def test_a_metric_that_is_no_number(self, tmp_path: Path):
        metrics = {"latency/mean_s": {"value": float("nan"), "unit": "s", "better": "lower"}}
        self.refused(written(tmp_path, metrics=metrics), "NaN is not JSON")
        with pytest.raises(DataError, match="metric 'latency/mean_s': 'value' is nan"):
            RunRecord.from_json(RECORD.to_json() | {"metrics": metrics})

    def test_a_metric_of_a_later_version(self, tmp_path: Path):
        self.refused(written(tmp_path, metrics={"latency/later_s": {"value": 1.0}}))


class TestWriting:
    def test_a_failing_write_leaves_the_old_file_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        path = RECORD.write(tmp_path)
        before = path.read_bytes()

        def full(*_: Any) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            replace(RECORD, name="new").write(tmp_path)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["record.json"]

    def test_replaces_and_leaves_nothing_else(self, tmp_path: Path):
        RECORD.write(tmp_path)
        path = replace(RECORD, name="new").write(tmp_path)
        assert RunRecord.read(path).name == "new"
        assert [p.name for p in tmp_path.iterdir()] == ["record.json"]

    def test_makes_its_folder(self, tmp_path: Path):
        assert RECORD.write(tmp_path / "a" / "b") == tmp_path / "a" / "b" / "record.json"

    def test_what_is_not_json_is_never_written(self, tmp_path: Path):
        with pytest.raises(ValueError, match="not JSON compliant"):
            replace(RECORD, job_s={"load": float("nan")}).write(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_names_of_a_point_that_failed_are_those_that_were_chosen():
    cuda = {"_target_": "asr_scaling.device.cuda.Cuda", "index": 1}
    engine = {"_target_": "asr_scaling.engine.transformers.Transformers"}
    options = {"engine": engine, "device": cuda}
    before = RunRecord("p", "failed", options, {})
    assert (before.engine, before.device) == ("transformers", "cuda:1")
    kept = {"choices": {"engine": "tuned", "device": "cuda", "batch": ["fixed"]}}
    record = RunRecord("p", "failed", {**options, "hydra": kept}, {})
    assert (record.engine, record.device) == ("tuned", "cuda:1")
    assert choices(record.config) == {"engine": "tuned", "device": "cuda"}
    assert choices({"hydra": "x", "model": {"_target_": "a.b.C"}}) == {}
