"""What limits a system: from loads that were made to show it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.queues import Server, searched, served

from asr_scaling.analysis.capacity.curves import curves
from asr_scaling.analysis.capacity.limits import Limit, limits
from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.record import RunRecord

REQUESTS = {"_target_": "asr_scaling.scenario.requests.Requests"}


def of(one: RunRecord) -> tuple[Limit, ...]:
    (curve,) = curves(named([to_point(one)]))
    return limits(curve)


def changed(load: LoadPoint, **values: float) -> LoadPoint:
    """The load with other values of the metrics ``load/<name>``."""
    metrics = [
        replace(metric, value=values.get(metric.name.removeprefix("load/"), metric.value))
        for metric in load.metrics
    ]
    return replace(load, metrics=tuple(replace(metric, interval=None) for metric in metrics))


@pytest.mark.parametrize(
    ("server", "name", "said"),
    [
        (Server(5.0, cores=0.5), "workers", "about 50.0 % while every worker works"),
        (Server(5.0), "cores", "about 100 % while every worker works: shorter calls"),
        (Server(4.2, cores=1.9), "cores", "90.5 % of the cores' time is used."),
    ],
)
def test_requests_wait_for_cores_or_beside_idle_ones(server: Server, name: str, said: str):
    first, *_ = of(searched(server))
    assert first.name == name
    assert said in first.said
    assert "/s requests wait" in first.said


def test_a_call_that_is_too_long_itself():
    load = changed(Server(5.0).load(4.0), queue_wait_p99_s=0.3)
    first, *_ = of(served([load], REQUESTS))
    assert first.name == "call time"
    assert "4.31 s of a p99 of 4.61 s is the call itself" in first.said


@pytest.mark.parametrize(("bound_s", "name"), [(2.0, "workers"), (0.3, "call time")])
def test_where_too_few_requests_bound_p99_the_bound_says_what_is_left_to_wait(
    bound_s: float, name: str
):
    server = Server(5.0, bound_s=bound_s, cores=0.5)
    load = server.load(4.0)
    known = tuple(m for m in load.metrics if "_p99_s" not in m.name)
    first, *_ = of(served([replace(load, metrics=known, verdict="broken")], REQUESTS))
    assert first.name == name
    assert f"of the {'2.00 s' if bound_s == 2 else '300 ms'} that are allowed" in first.said


def test_a_busy_gpu():
    load = Server(4.2).load(4.0)
    busy = replace(load.metrics[0], name="load/gpu_share", value=0.97, interval=None)
    first, *_ = of(served([replace(load, metrics=(*load.metrics, busy))], REQUESTS))
    assert first.name == "accelerator"


def test_nothing_broke_the_bound():
    (first,) = of(searched(Server(5.0), rates=(0.5, 1.0)))
    assert (first.name, first.said) == ("not reached", "No load broke the bound, up to 1.00/s.")


def test_a_load_close_to_the_capacity_says_what_limits_it_though_none_broke_the_bound():
    first, *_ = of(searched(Server(5.0), rates=(0.5, 2.6)))
    assert first.name == "cores"


def test_requests_that_are_turned_away():
    load = Server(5.0).load(6.0)
    away = replace(load.metrics[0], name="load/refused_share", value=0.17, interval=None)
    first, *_ = of(served([replace(load, metrics=(*load.metrics, away))], REQUESTS))
    assert first.name == "errors"
    assert "17.0 % turned away at once" in first.said


def test_a_generator_that_was_late():
    first, *_ = of(served([Server(5.0).load(1.0), Server(5.0).withheld(2.0)], REQUESTS))
    assert first.name == "generator"
    assert "From 2.00 requests a second on" in first.said
    (alone,) = of(served([Server(5.0).withheld(2.0)], REQUESTS))
    assert alone.name == "generator"


@pytest.mark.parametrize(
    ("formed", "said"),
    [
        (7.8, "7.80 of at most 8.00 requests: a larger serving.max_batch"),
        (1.1, "batches hardly form"),
        (4.0, None),
    ],
)
def test_batches_that_are_full_or_hardly_form(formed: float, said: str | None):
    server = Server(4.2, batch=formed)
    found = of(searched(server, serving="batched", options={"max_batch": 8}))
    batching = [limit.said for limit in found if limit.name == "batching"]
    assert [said in each for each in batching] == ([True] if said else [])
