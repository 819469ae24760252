"""experiment=capacity on the command line: ways to serve are tried, and one is the answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records

from asr_scaling.core.record import RECORD_FILE, RunRecord

SEARCH = (
    "experiment=capacity",
    *QUICK,
    "engine.fixed_s=0.02",
    "optimisation=[]",
    "profiler=[latency,quality]",
    "scenario.bound='p90<0.2s,errors=0'",
    "scenario.late_s=0.05",
    "pipeline.utterances=4",
    "pipeline.max_seconds=0.2",
    "pipeline.warmup_seconds=0",
    "optimiser.workers=[1]",
    "optimiser.ceiling_s=1",
    "optimiser.search_minutes=0.1",
    "optimiser.minutes=0.9",
)


def test_ways_are_tried_told_and_gone_on_with(cli: Cli, tmp_path: Path) -> None:
    done = cli(*SEARCH)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.rglob("serving.json")
    sweep, found = file.parent, json.loads(file.read_text())
    alone, shared = (sweep / f"1_ceiling_fake_w1_b{batch}" for batch in (1, 8))
    assert 30 < found["ceilings"][0]["seen"]["per_s"] < 51  # calls of 20 ms, one after another
    assert found["ceilings"][1]["seen"]["per_s"] > 60  # as long with eight in them
    assert {load.arrivals for load in RunRecord.read(alone / RECORD_FILE).loads} == {"closed"}
    assert found["highest"][0]["way"]["max_batch"] == 8
    final = RunRecord.read(sweep / "2_highest_fake_w1_b8" / RECORD_FILE)
    assert {load.arrivals for load in final.loads} == {"poisson"}
    assert final.config["optimiser"]["stage"] == "final"
    assert final.config["scenario"]["start_rate"] == pytest.approx(
        0.8 * found["ceilings"][1]["seen"]["per_s"], rel=0.01
    )
    assert "2 ways to serve were tried with clients that always wait, and of " in done.stdout
    assert "What this machine holds" in (sweep / "report/report.md").read_text()

    shutil.rmtree(shared)
    again = cli(*SEARCH, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert "fake cpu b1 ceiling scenario=requests was measured before" in again.stderr
    assert (
        "fake cpu b1 ceiling max_batch=8 serving=batched scenario=requests done in" in again.stderr
    )
    assert (
        RunRecord.read(alone / RECORD_FILE).started_at
        < RunRecord.read(shared / RECORD_FILE).started_at
    )
    assert len(records(sweep)) >= 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("serving=replicas",),
            "The search chooses serving itself: leave it out, or set optimiser.w",
        ),
        (("scenario.minutes=4",), "set optimiser.search_minutes"),
        (("optimiser.engines=[openvino]",), "leave one of them out"),
        (("optimiser.workers=[]",), "optimiser.workers must be whole numbers from 1; got []"),
        (("batch=1,2",), "The optimiser takes one value of batch"),
    ],
)
def test_what_it_chooses_itself(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = cli(*SEARCH, *arguments)
    assert done.returncode != 0
    assert said in done.stderr.replace("\n", " ")
