"""What makes two points the same: everything that shapes a measurement, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.measure.fingerprint import fingerprint

OPTIONS: dict[str, Any] = {
    "seed": 42,
    "model": {
        "name": "toy",
        "licence": "MIT",
        "published": "39 M",
        "weights": "auto",
        "path": None,
    },
    "engine": {"_target_": "x.Transformers", "dtype": "float32"},
    "device": {"_target_": "x.Cpu", "threads": None},
    "dataset": {"_target_": "x.Demo", "length_s": 5},
    "batch": {"size": 1},
    "profiler": {"latency": {"_target_": "x.Latency"}},
    "pipeline": {"utterances": 16, "max_seconds": 8},
    "tracking": {"_target_": "x.Mlflow", "uri": "sqlite:///mlflow.db"},
    "sweep": {"selftest": True, "processes": 1, "report": True},
}
DEVICE = {"kind": "cuda", "gpu": "H200", "uuid": "one", "index": 0}


def changed(path: str, value: Any) -> dict[str, Any]:
    found = deepcopy(OPTIONS)
    *groups, key = path.split(".")
    node = found
    for group in groups:
        node = node[group]
    node[key] = value
    return found


@pytest.mark.parametrize("name", ["CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"])
def test_which_gpu_of_its_kind_a_scheduler_gave_does_not_count(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    found = set()
    for given, number in (("0", 0), ("3", 3)):
        monkeypatch.setenv(name, given)
        found.add(fingerprint(OPTIONS, {**DEVICE, "uuid": given, "nvml_index": number}))
    monkeypatch.setenv("CUDA_LAUNCH_BLOCKING", "1")
    assert len(found) == 1
    assert fingerprint(OPTIONS, DEVICE) not in found


def test_it_is_the_same_at_every_call_and_in_any_order_of_options():
    assert fingerprint(OPTIONS, DEVICE) == fingerprint(dict(reversed(OPTIONS.items())), DEVICE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.weights", "random"),
        ("engine.dtype", "bfloat16"),
        ("device.threads", 1),
        ("dataset.length_s", 6),
        ("batch.size", 2),
        ("profiler.memory", {"_target_": "x.Memory"}),
        ("pipeline.max_seconds", 9),
        ("sweep.round", 1),
        ("group_of_tomorrow", {"beam": 5}),
    ],
)
def test_what_shapes_a_measurement_counts(path: str, value: Any):
    assert fingerprint(changed(path, value), DEVICE) != fingerprint(OPTIONS, DEVICE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tracking.uri", "http://server"),
        ("sweep.report", False),
        ("sweep.selftest", False),
        ("model.licence", "Apache-2.0"),
        ("model.published", "40 M"),
        ("seed", 43),  # where it shapes anything, it is among the options of that part
    ],
)
def test_nothing_else_counts(path: str, value: Any):
    assert fingerprint(changed(path, value), DEVICE) == fingerprint(OPTIONS, DEVICE)


@pytest.mark.parametrize(
    ("device", "same"),
    [
        ({"gpu": "P100"}, False),
        ({"power_limit_w": 350.0}, False),
        ({"uuid": "another"}, True),
        ({"index": 1}, True),
    ],
)
def test_the_kind_of_device_counts_not_which_one(device: Mapping[str, Any], same: bool):
    assert (fingerprint(OPTIONS, {**DEVICE, **device}) == fingerprint(OPTIONS, DEVICE)) is same


@pytest.mark.parametrize(
    ("name", "same"),
    [("OMP_NUM_THREADS", False), ("MALLOC_TRIM_THRESHOLD_", False), ("EDITOR", True)],
)
def test_variables_that_libraries_read_count(
    monkeypatch: pytest.MonkeyPatch, name: str, same: bool
):
    before = fingerprint(OPTIONS, DEVICE)
    monkeypatch.setenv(name, "7")
    assert (fingerprint(OPTIONS, DEVICE) == before) is same


def test_the_machine_counts_by_what_it_is_not_by_its_name(monkeypatch: pytest.MonkeyPatch):
    before = fingerprint(OPTIONS, DEVICE)
    machine = {
        "cpu": "another",
        "cpu_cores": 2,
        "memory_bytes": 1,
        "python": "3",
        "versions": {},
        "host": "a",
    }
    monkeypatch.setattr("asr_scaling.measure.fingerprint.environment", lambda: machine)
    other = fingerprint(OPTIONS, DEVICE)
    assert other != before
    monkeypatch.setattr(
        "asr_scaling.measure.fingerprint.environment",
        lambda: machine | {"host": "b", "os": "newer"},
    )
    assert fingerprint(OPTIONS, DEVICE) == other


def test_files_that_options_name_count_by_their_contents_time(tmp_path: Path):
    file = tmp_path / "speech" / "manifest.csv"
    file.parent.mkdir()
    file.write_text("a")
    options = changed("dataset.path", str(file.parent))
    before = fingerprint(options, DEVICE)
    assert fingerprint(options, DEVICE) == before
    os.utime(file, ns=(1, 1))
    assert fingerprint(options, DEVICE) != before


def test_a_list_of_files_counts_too(tmp_path: Path):
    file = tmp_path / "part.parquet"
    file.write_text("a")
    options = changed("dataset.path", [str(file)])
    before = fingerprint(options, DEVICE)
    file.write_text("ab")
    assert fingerprint(options, DEVICE) != before


def test_a_path_that_is_not_there_is_no_error():
    assert fingerprint(changed("model.path", "/nowhere/at/all"), DEVICE)
