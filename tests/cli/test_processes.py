"""sweep.processes=N: every point in N fresh processes, in turn, merged into one record a point.

A fresh process takes seconds to begin, so that there are few of them here.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records
from support.warm import Started

from asr_scaling.core.record import RunRecord
from asr_scaling.records.read import readable_records

TWO = (*QUICK, "sweep.processes=2", "profiler=[latency,quality]")
pytest.importorskip("joblib", reason="starts processes by joblib")


def rounds(folder: Path) -> list[RunRecord]:
    """In the order they were measured."""
    found = [record for record in records(folder) if record.round is not None]
    return sorted(found, key=lambda record: record.started_at)


def size(record: RunRecord) -> int:
    return int(record.config["batch"]["size"])


def test_points_in_turn_become_one_record_each(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *TWO, "batch=1,4")
    assert done.returncode == 0, done.stderr
    assert "[4/4] " in done.stderr
    assert "2 of 2 points in 2 processes each" in done.stdout
    parts = rounds(tmp_path / "multirun")
    assert [record.round for record in parts] == [0, 0, 1, 1]
    assert [sorted(map(size, parts[i : i + 2])) for i in (0, 2)] == [[1, 4], [1, 4]]
    (sweep,) = {path.parent for path in (tmp_path / "multirun").rglob("rounds")}
    names = ["0_whisper_tiny_en_cpu_b1", "1_whisper_tiny_en_cpu_b4"]
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == [*names, "rounds"]
    points = readable_records(sweep, [])
    assert [size(point) for point in points] == [1, 4]
    for point in points:
        own = [part for part in parts if size(part) == size(point)]
        assert [sample.process for sample in point.samples] == [
            part.round for part in own for _ in part.samples
        ]
        assert (point.status, point.round, point.processes) == ("ok", None, 2)
        loads = [metric for metric in point.metrics if metric.name == "startup/load_s"]
        assert [metric.n for metric in loads] == [2]
        assert ["quality/wer" in part.values for part in own] == [True, False]
        assert point.values["quality/wer"] == 0
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [line["metrics"] for line in lines] == [point.to_json()["metrics"] for point in points]


def test_one_point_whose_first_process_dies_and_is_measured_again(cli: Cli, tmp_path: Path) -> None:
    """Without -m too: a process that dies takes neither the command nor the other one with it."""
    sweep = (*TWO, "engine.fault=fault", "hydra.run.dir=mine")
    (tmp_path / "fault").write_text("kill")
    done = cli(*sweep)
    assert done.returncode == 1, done.stderr
    assert "its worker process died" in done.stderr
    first, second = (tmp_path / "mine" / "rounds" / k for k in ("0", "1"))
    assert [record.status for record in records(first)] == ["interrupted"]
    assert [record.status for record in records(second)] == ["ok"]
    (point,) = readable_records(tmp_path / "mine", [])
    assert point.outcome.startswith("interrupted: process 1: its worker process died")
    assert {sample.process for sample in point.samples} == {1}
    kept = {path: path.read_bytes() for path in second.rglob("record.json")}
    again = cli("-m", *sweep[:-1], "hydra.sweep.dir=mine", "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("was measured before") == 1
    assert {path: path.read_bytes() for path in kept} == kept
    (point,) = readable_records(tmp_path / "mine", [])
    assert (point.status, point.processes) == ("ok", 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hydra.mode=RUN",), "sweep.processes=2 is a sweep: leave hydra.mode out."),
        (("-m", "sweep.processes=0"), "sweep.processes must be 1 or more; got 0."),
        (("-m", "sweep.processes=few"), "sweep.processes must be a whole number; got few."),
        (
            ("-m", "sweep.processes=1,3"),
            "sweep.processes takes one value, which holds for all points of a sweep.",
        ),
        (
            ("-m", "hydra/sweeper=basic"),
            "sweep.processes=2 needs hydra/sweeper=asr_scaling, the default: leave yours out.",
        ),
        (
            ("experiment=optimise", "optimiser.engines=[fake]"),
            "sweep.processes=2 is not for the optimiser, which measures its finals in processes "
            "of their own: set optimiser.processes.",
        ),
        (
            ("-m", "sweep.interleave=true"),
            "There is no option sweep.interleave any more: sweep.processes=3 measures each point "
            "in three fresh processes, in turn with the others.",
        ),
        (
            ("-m", "+sweep.rounds=2"),
            "There is no option sweep.rounds any more: sweep.processes=3 measures each point in "
            "three fresh processes, in turn with the others.",
        ),
        (
            ("experiment=optimise", "optimiser.rounds=2"),
            "There is no option optimiser.rounds any more: optimiser.processes says in how many "
            "fresh processes finals are measured.",
        ),
        (
            ("experiment=optimise", "optimiser.first=[int8]"),
            "There is no option optimiser.first any more: a search orders what it tries by what it "
            "expects for the time it takes.",
        ),
    ],
)
def test_what_can_not_be_is_one_sentence(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = cli(*QUICK, "sweep.processes=2", *arguments)
    assert done.returncode == 1
    assert done.stderr == f"error: {said}\n"
    assert records(tmp_path) == []


def test_sigterm_keeps_what_was_measured_and_begins_nothing_more(
    tmp_path: Path, command_env: dict[str, str]
) -> None:
    slow = ("-m", *TWO, "batch=1", "engine.fixed_s=0.2", "hydra.sweep.dir=mine")
    process = Started(tmp_path, "asr_scaling", slow, command_env)
    process.said("[1/2]", "done in")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 130
    (first, *_) = rounds(tmp_path / "mine")
    (point,) = readable_records(tmp_path / "mine", [])
    assert point.samples[: len(first.samples)] == first.samples
    assert (tmp_path / "mine" / "0_whisper_tiny_en_cpu_b1").is_dir()
    assert (tmp_path / "records.jsonl").exists()


@pytest.mark.usefixtures("mlflow_database")
@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy"
)  # mlflow's, with the newest sqlalchemy
def test_mlflow_has_a_run_for_the_point_and_none_for_its_processes(
    cli: Cli, tmp_path: Path
) -> None:
    import mlflow

    arguments = [
        argument for argument in TWO if not argument.startswith(("tracking", "sweep.selftest"))
    ]
    done = cli("-m", *arguments, "batch=1", "hydra.sweeper.max_batch_size=1")
    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("asr_scaling")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["asr_scaling.kind"] for run in runs) == ["point", "sweep"]
    point, sweep = sorted(runs, key=lambda run: run.data.tags["asr_scaling.kind"])
    assert point.info.run_name == "whisper_tiny_en fake cpu b1"
    assert point.data.tags["mlflow.parentRunId"] == sweep.info.run_id
    assert point.data.tags["sweep/rounds"] == "2"
    assert "certificate.json" in {found.path for found in client.list_artifacts(sweep.info.run_id)}


def test_a_precision_asks_for_further_rounds_up_to_a_limit_with_the_calls_it_plans(
    cli: Cli, tmp_path: Path
) -> None:
    """Calls differ much and processes hardly, so that the fourth is worth twice the calls."""
    wanted = ("sweep.precision=0.05", "sweep.most_processes=4", "profiler=[latency]")
    engine = ("engine.jitter=0.3", "engine.fixed_s=0.02", "pipeline.min_iterations=8")
    done = cli(*QUICK, *wanted, *engine)
    assert done.returncode == 0, done.stderr
    assert "[4/4] " in done.stderr
    assert "1 of 1 points in 4 processes each" in done.stdout
    assert "4 processes of 8 to 16 calls; ± 5 % would take" in " ".join(done.stdout.split())
    assert "stopped at sweep.most_processes=4." in " ".join(done.stdout.split())
    (point,) = readable_records(tmp_path / "multirun", [])
    assert (point.status, point.processes) == ("ok", 4)
    assert point.tags["sweep/calls"] == "8, 8, 8, 16"
