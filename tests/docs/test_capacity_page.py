"""What ``docs/capacity.md`` tells to type, and what it names, is there."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from support.page_commands import points, sweeps

from asr_scaling.core.load_metrics import LOAD_METRICS
from asr_scaling.load.bound import parsed
from asr_scaling.records.read import each_record
from asr_scaling.sweep.instantiate import build_job
from asr_scaling.util.config_dir import conf_dir

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
COMMANDS = sweeps(PAGE)


def test_there_are_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_makes_its_points(command: str):
    for plain in points(command):
        job = build_job(plain)
        assert job.scenario.phase == "loaded"
        assert job.system.composed().engine is not None


def test_every_metric_that_is_named_is_one():
    named = re.findall(r"`((?:load|capacity)/\w+)`", PAGE)
    assert len(named) > 12
    assert set(named) <= set(LOAD_METRICS)


@pytest.mark.parametrize("group", ["serving", "scenario"])
def test_every_choice_has_its_row(group: str):
    choices = {path.stem for path in Path(conf_dir(), group).glob("*.yaml")}
    assert choices <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("percentile", [90, 95, 99])
def test_the_requests_that_a_percentile_needs(percentile: int):
    """With fewer, the chance is above 1 % that none of them is among the slowest."""
    needed = math.ceil(math.log(0.01) / math.log(percentile / 100))
    assert parsed(f"p{percentile}<1s").requests == needed
    assert str(needed) in PAGE


def test_what_was_measured_is_what_the_records_say():
    folder = ROOT / "docs" / "results" / "amd-epyc-2-cores" / "capacity"
    records = [record for record, *_ in each_record(folder / "records.jsonl.gz")]
    row = r"^\| (\w+) \| [\w +–]+ \| (direct|batched|replicas) \| (.+?) \|"
    rows = re.findall(row, PAGE, re.MULTILINE)
    assert len(rows) == len(records)
    for record, (engine, serving, holds) in zip(records, rows, strict=True):
        assert (record.engine, record.system["serving"]["name"]) == (engine, serving)
        rate = next((m for m in record.metrics if m.name == "capacity/rate_per_s"), None)
        if rate is None or rate.interval is None:
            assert holds in ("not known", "less than 1.95")
            continue
        ends = rate.interval
        assert holds == f"{rate.value:.1f} ({ends.low:.1f} to {ends.high:.1f})"
