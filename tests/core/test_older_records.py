"""Names of earlier versions that mean something else now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import DataError

PEAK, ABOVE, IDLE = (f"memory/{name}_bytes" for name in ("peak_rss", "peak_above_idle", "idle_rss"))


def read(*metrics: Metric) -> RunRecord:
    record = RunRecord("point", "ok", {}, {}, metrics=metrics)
    return RunRecord.from_json(json.loads(json.dumps(record.to_json())))


def test_a_peak_above_the_idle_process_is_another_metric():
    found = read(Metric(PEAK, 293e6, 7), Metric(IDLE, 402e6), Metric("latency/mean_s", 1.0))
    assert found.values == {ABOVE: 293e6, IDLE: 402e6, "latency/mean_s": 1.0}
    assert "above the idle process" in found.unavailable[PEAK]
    assert read(*found.metrics) == RunRecord("point", "ok", {}, {}, metrics=found.metrics)


def test_a_whole_peak_stays():
    found = read(Metric(PEAK, 700e6, 3), Metric("memory/libraries_rss_bytes", 402e6))
    assert found.values[PEAK] == 700e6
    assert found.unavailable == {}


def optimised(engine: dict[str, Any], *names: str) -> RunRecord:
    """A record of an earlier version, in which optimisations stood as they were chosen."""
    config = {
        "engine": engine,
        "model": {"window_s": 30.0},
        "optimisation": {name: {"margin_s": 4.0} for name in names},
    }
    system = {"optimisations": list(names)}
    called = f"tiny cpu b1 {' + '.join(names)}"
    plain = RunRecord(called, "ok", config, {}, system=system).to_json()
    return RunRecord.from_json(json.loads(json.dumps(plain)))


TRANSFORMERS = {"_target_": "asr_scaling.engine.transformers.Transformers", "decode": "library"}


def test_the_loop_that_a_short_window_brought_along_is_named():
    found = optimised(TRANSFORMERS, "int8", "dynamic_window")
    assert found.optimisations == ("decode_loop", "dynamic_window", "int8")
    assert list(found.config["optimisation"]) == [*found.optimisations]
    assert found.name == "tiny cpu b1 decode_loop + dynamic_window + int8"
    assert RunRecord.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "engine",
    [
        {"_target_": "asr_scaling.engine.openvino.OpenVino"},
        {"_target_": "asr_scaling.engine.transformers.Transformers"},
        {**TRANSFORMERS, "decode": "loop"},
    ],
    ids=["an engine without it", "a version without it", "chosen by the user"],
)
def test_no_loop_is_named_where_the_optimisation_brought_none(engine: dict[str, Any]):
    found = optimised(engine, "int8", "dynamic_window")
    assert found.optimisations == ("dynamic_window", "int8")


def test_a_damaged_record_is_said_to_be_damaged():
    plain = RunRecord("point", "ok", {}, {}, metrics=(Metric(PEAK, 1), Metric(IDLE, 1))).to_json()
    with pytest.raises(DataError, match="damaged"):
        RunRecord.from_json({**plain, "unavailable": 3})
