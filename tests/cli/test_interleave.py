"""sweep.interleave=true: rounds of all points in shuffled order, merged into one record a point."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records, start

from asr_scaling.core.record import RunRecord
from asr_scaling.records.read import readable_records

INTERLEAVED = (*QUICK, "sweep.interleave=true")


def rounds(folder: Path) -> list[RunRecord]:
    """In the order they were measured."""
    found = [record for record in records(folder) if record.round is not None]
    return sorted(found, key=lambda record: record.started_at)


def size(record: RunRecord) -> int:
    return int(record.config["batch"]["size"])


def test_every_round_has_every_point_once_in_an_order_of_its_own(cli: Cli, tmp_path: Path) -> None:
    arguments = (
        *INTERLEAVED,
        "batch=1,2,3,4",
        "profiler=[latency]",
        "pipeline.min_iterations=1",
        "sweep.rounds=2",
    )
    done = cli("-m", *arguments)
    assert done.returncode == 0, done.stderr
    orders = orders_in(tmp_path / "multirun")
    assert [sorted(order) for order in orders] == [[1, 2, 3, 4], [1, 2, 3, 4]]
    assert orders[0] != orders[1]
    assert "[8/8] " in done.stderr
    assert "4 of 4 points in 2 rounds" in done.stdout


def orders_in(folder: Path) -> list[list[int]]:
    """Batch sizes in the order they were measured, by round;
    a round begins when the one before it is over."""
    found = rounds(folder)
    assert [record.round for record in found] == sorted(record.round or 0 for record in found)
    return [[size(record) for record in found if record.round == k] for k in (0, 1)]


def test_rounds_become_one_record_a_point(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *INTERLEAVED, "batch=1,4", "profiler=[latency,memory,quality]")
    assert done.returncode == 0, done.stderr
    (sweep,) = {path.parent for path in (tmp_path / "multirun").rglob("rounds")}
    names = ["0_whisper_tiny_en_cpu_b1", "1_whisper_tiny_en_cpu_b4"]
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == [*names, "rounds"]
    assert {path.parent.name for path in (sweep / "rounds").rglob("record.json")} == set(names)
    points, parts = readable_records(sweep, []), rounds(sweep)
    assert [size(point) for point in points] == [1, 4]
    for point in points:
        own = [part for part in parts if size(part) == size(point)]
        assert (
            point.values["workload/iterations"]
            == len(point.samples)
            == sum(len(part.samples) for part in own)
        )
        assert len(own) == 3
        assert point.tags["sweep/rounds"] == "3"
        assert point.intervals["latency/mean_s"].low < point.values["latency/mean_s"]
        assert point.values["quality/wer"] == 0
        assert point.round is None
        assert point.status == "ok"
        assert ["quality/wer" in part.values for part in own] == [True, False, False]
        measured = ["memory/peak_rss_bytes" in part.values for part in own]
        assert measured == [True, False, False]  # in a process of its own, once
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [line["metrics"] for line in lines] == [point.to_json()["metrics"] for point in points]


def test_a_point_that_fails_in_its_rounds_is_a_failed_point(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "-m",
        *INTERLEAVED,
        "batch=1,4",
        "engine.max_batch=2",
        "sweep.rounds=2",
        "profiler=[latency]",
    )
    assert done.returncode == 1
    points = readable_records(tmp_path / "multirun", [])
    assert [point.status for point in points] == ["ok", "out_of_memory"]
    assert points[1].outcome.startswith("out of memory: round 0: A batch of 4 does not fit")
    assert "2 of 2 points in 2 rounds" in done.stdout
    assert done.stdout.count("whisper_tiny_en fake cpu b4: out of memory") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (),
            (
                "error: sweep.interleave=true shuffles the points of a sweep: "
                "add -m, as in  -m batch=1,8.\n"
            ),
        ),
        (("-m", "sweep.rounds=1"), "error: sweep.rounds must be 2 or more to interleave; got 1.\n"),
        (
            ("-m", "sweep.rounds=few"),
            "error: sweep.rounds must be a whole number; got few.\n",
        ),
        (
            ("-m", "hydra/sweeper=basic"),
            "error: sweep.interleave=true needs hydra/sweeper=asr_scaling, the default: ",
        ),
    ],
)
def test_what_can_not_be_interleaved_is_one_sentence(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = cli(*arguments, *INTERLEAVED)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert records(tmp_path) == []


def test_hydras_own_ways_to_sweep_still_work(cli: Cli, tmp_path: Path) -> None:
    """Parameters of an experiment, globs, batches of jobs,
    and no interleaving at all with another sweeper."""
    quick = ("pipeline.utterances=1", "pipeline.min_iterations=1", "sweep.rounds=2")
    done = cli("experiment=smoke", *INTERLEAVED, *quick, "hydra.sweeper.max_batch_size=3")
    assert done.returncode == 0, done.stderr
    assert [size(point) for point in readable_records(tmp_path / "multirun", [])] == [1, 4]
    globbed = cli(
        "-m", *INTERLEAVED, *quick, "model=glob(wav2vec2*)", f"hydra.sweep.dir={tmp_path / 'glob'}"
    )
    assert globbed.returncode == 0, globbed.stderr
    assert "3 of 3 points in 2 rounds" in globbed.stdout
    plain = cli(
        "-m", *QUICK, "batch=1,2", "hydra/sweeper=basic", f"hydra.sweep.dir={tmp_path / 'plain'}"
    )
    assert plain.returncode == 0, plain.stderr
    assert rounds(tmp_path / "plain") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_cut_short_has_the_rounds_it_got(
    tmp_path: Path, command_env: dict[str, str], number: signal.Signals
) -> None:
    slow = (*INTERLEAVED, "engine.fixed_s=0.2", "batch=1,2", "sweep.rounds=2")
    process = start(tmp_path, command_env, *slow)  # in its second measurement of four
    process.send_signal(number)
    process.communicate(timeout=120)
    (sweep,) = {path.parent for path in (tmp_path / "multirun").rglob("rounds")}
    first = rounds(sweep)[0]
    point = next(point for point in readable_records(sweep, []) if size(point) == size(first))
    assert (point.status, point.samples) == ("ok", first.samples)
    assert [c.message for c in point.cautions if c.kind == "RoundsMissing"] == [
        "Only 1 of 2 rounds of this point were measured."
    ]
    assert (sweep / f"{size(first) - 1}_whisper_tiny_en_cpu_b{size(first)}").is_dir() == (
        number == signal.SIGTERM
    )


@pytest.mark.usefixtures("mlflow_database")
@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy"
)  # mlflow's, with the newest sqlalchemy
def test_mlflow_has_points_and_their_rounds(cli: Cli, tmp_path: Path) -> None:
    import mlflow

    arguments = [
        argument
        for argument in INTERLEAVED
        if not argument.startswith(("tracking", "sweep.selftest"))
    ]
    done = cli("-m", *arguments, "batch=1,2", "sweep.rounds=2")
    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("asr_scaling")
    runs = client.search_runs([experiment.experiment_id])
    names = {
        kind: sorted(r.info.run_name for r in runs if r.data.tags["asr_scaling.kind"] == kind)
        for kind in KINDS
    }
    points = ["whisper_tiny_en fake cpu b1", "whisper_tiny_en fake cpu b2"]
    assert names["point"] == points
    assert names["round"] == [f"{point} · round {k}" for point in points for k in (0, 1)]
    (sweep,) = (run for run in runs if run.data.tags["asr_scaling.kind"] == "sweep")
    below = {run.data.tags["mlflow.parentRunId"] for run in runs if run is not sweep}
    assert below == {sweep.info.run_id}
    assert "certificate.json" in {found.path for found in client.list_artifacts(sweep.info.run_id)}


KINDS = ("sweep", "point", "round")
