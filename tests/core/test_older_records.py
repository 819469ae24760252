"""Names of earlier versions that mean something else now."""

from __future__ import annotations

import json

import pytest

from asr_scaling.core.record import Metric, RunRecord
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


def test_a_damaged_record_is_said_to_be_damaged():
    plain = RunRecord("point", "ok", {}, {}, metrics=(Metric(PEAK, 1), Metric(IDLE, 1))).to_json()
    with pytest.raises(DataError, match="damaged"):
        RunRecord.from_json({**plain, "unavailable": 3})
