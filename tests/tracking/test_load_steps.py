"""Loads in MLflow: a chart of a run draws latency over load, and records come back whole."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from support.queues import Server, asked, searched, served

from asr_scaling.tracking._load_steps import load_steps
from asr_scaling.tracking._tags import tags
from asr_scaling.tracking.mlflow import Mlflow

SERVER = Server(5.0)
P99 = "load/latency_p99_s"
REQUESTS = {"_target_": "asr_scaling.scenario.requests.Requests"}


def test_a_step_is_the_rate_in_thousandths_of_a_request_a_second():
    record = searched(SERVER, rates=(0.5, 1.0, 2.0, 4.0))
    rows = {(name, step): value for name, value, step in load_steps(record)}
    assert [step for name, step in rows if name == P99] == [500, 1000, 2000, 4000]
    assert rows["load/offered_per_s", 500] == 0.5
    assert rows[P99, 4000] == pytest.approx(SERVER.percentile(4.0, 99))
    assert rows[f"{P99}.low", 4000] < rows[P99, 4000] < rows[f"{P99}.high", 4000]


def test_probes_of_a_rate_are_one_step():
    record = searched(SERVER, rates=(2.0, 2.0, 2.0))
    assert [step for name, _, step in load_steps(record) if name == P99] == [2000]


def test_closed_loads_are_metrics_of_their_own_by_clients():
    record = served([SERVER.closed(2), SERVER.closed(8)], REQUESTS)
    names = {(name, step) for name, _, step in load_steps(record)}
    assert {step for _, step in names} == {2, 8}
    assert all(name.startswith("closed_load/") for name, _ in names)
    assert tags(record, None)["load.arrivals"] == "closed: clients wait for their answers"


def test_tags_say_what_a_run_was_given():
    found = tags(searched(SERVER, serving="batched"), None)
    assert found["serving"] == "batched"
    assert found["load.arrivals"] == "poisson"
    assert found["load.bound"] == "p99<2s"


@pytest.mark.slow
def test_a_store_has_the_curve_and_gives_the_record_back(
    tmp_path: Path, mlflow_database: Path
) -> None:
    record = searched(SERVER, rates=(0.5, 1.0, 2.0, 4.0))
    one = asked(SERVER, 1.0)
    stored = [replace(r, dataset={**r.dataset, "source": "made up"}) for r in (record, one)]
    sink = Mlflow(f"sqlite:///{mlflow_database}", "speech", str(tmp_path / "artifacts"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        import mlflow

        parent = sink.open("sweep", {})
        for number, each in enumerate(stored):
            folder = tmp_path / "sweep" / f"{number}_point"
            each.write(folder)
            sink.write(each, folder, parent)
        points = sink.points_file(tmp_path / "sweep", parent)
        assert points is not None
        sink.close(parent, "FINISHED", [points])
        client = mlflow.MlflowClient(sink.uri)
        (experiment,) = client.search_experiments(filter_string="name = 'speech'")
        own = f"tags.mlflow.parentRunId = '{parent}' and tags.load.bound = 'p99<2s'"
        runs = client.search_runs([experiment.experiment_id], own)
        histories = [client.get_metric_history(run.info.run_id, P99) for run in runs]
        whole = [again() for _, again in sink.records(parent)]
        light = [found for found, _ in sink.records(parent, light=True)]
    steps = sorted([metric.step for metric in history] for history in histories)
    assert steps == [[500, 1000, 2000, 4000], [1000]]
    most = max(runs, key=lambda run: len(run.data.metrics))
    assert most.data.metrics["capacity/rate_per_s"] == pytest.approx(SERVER.capacity)
    for found in (whole, light):
        few, many = sorted((each.loads for each in found), key=len)
        assert (few, many) == (one.loads, record.loads)
