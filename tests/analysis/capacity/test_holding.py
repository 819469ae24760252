"""Whether loads show that a system holds what is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.queues import Server, asked, searched, served

from asr_scaling.analysis.capacity.curves import curves
from asr_scaling.analysis.capacity.holding import Asked, Holding, holding, implies
from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord

SERVER = Server(5.0)  # holds 2.70 ± 0.13 with p99<2s


def of(per_s: float | None, bound: str, *records: RunRecord) -> Holding:
    return holding(curves(named(map(to_point, records))), Asked(per_s, bound))


@pytest.mark.parametrize(
    ("bound", "other", "does"),
    [
        ("p99<1s", "p99<2s", True),
        ("p99<2s", "p99<1s", False),
        ("p99<2s", "p95<2s", True),
        ("p95<2s", "p99<2s", False),
        ("p99<2s,wer<=5", "p99<3s,wer<=6", True),
        ("p99<2s,wer<=7", "p99<3s,wer<=6", False),
        ("p99<2s,errors=0", "p99<2s,errors<=1%", True),
        ("a bound of another version", "p99<2s", False),
        ("p99<2s,errors=0", "p99<2s", True),
        ("p99<2s", "p99<2s,errors=0", False),
        ("p99<2s,errors=0", "p99<2s,errors=0", True),
        ("p95<1s", "p95<1s,p99<3s", False),
    ],
)
def test_a_stricter_bound_implies_the_other(bound: str, other: str, does: bool):
    assert implies(bound, other) == does


@given(st.floats(0.01, 99), st.floats(0.01, 99), st.sampled_from(("p50", "p90", "p95", "p99")))
def test_of_two_times_the_shorter_implies_the_longer(one: float, two: float, name: str):
    low, high = sorted((one, two))
    assert implies(f"{name}<{low}s", f"{name}<{high}s")
    assert implies(f"{name}<{high}s", f"{name}<{low}s") == (low == high)


@pytest.mark.parametrize(
    ("per_s", "answer"),
    [(2.5, "held"), (2.6, "undecided"), (2.8, "undecided"), (2.9, "not held")],
)
def test_the_interval_of_the_capacity_decides(per_s: float, answer: str):
    assert of(per_s, "p99<2s", searched(SERVER)).answer == answer


def test_a_load_of_as_many_requests_decides_where_the_capacity_does_not():
    found = of(2.6, "p99<2s", searched(SERVER), asked(Server(5.0, spread=0.02), 2.6))
    assert found.answer == "held"
    near = Server(5.0, spread=0.2)  # its p99 of 1.92 s may be 2.3 s
    assert of(2.6, "p99<2s", searched(SERVER), asked(near, 2.6)).answer == "undecided"


def test_without_a_search_loads_decide():
    loads = asked(SERVER, 1.0), asked(SERVER, 4.0)
    answers = {rate: of(rate, "p99<2s", *loads).answer for rate in (0.5, 1.0, 2.0, 4.0, 8.0)}
    assert answers == {
        0.5: "held", 1.0: "held", 2.0: "undecided", 4.0: "not held", 8.0: "not held"
    }  # fmt: skip
    assert of(1.0, "p99<2s", *loads).said == "at least 1.00 requests/s with p99<2s"


def test_a_stricter_search_answers_and_a_laxer_one_does_not():
    assert of(2.5, "p99<4s", searched(SERVER)).answer == "held"
    found = of(2.5, "p99<1s", searched(SERVER, rates=(0.5,)))
    assert found.answer == "undecided"
    assert of(2.9, "p99<1s", searched(SERVER, rates=(0.5,))).answer == "not held"


def test_requests_that_no_user_sends_so_say_nothing():
    even = replace(SERVER.load(4.0), arrivals="constant", verdict="held")
    scenario = {"_target_": "asr_scaling.scenario.requests.Requests"}
    for loads in ([even], [SERVER.closed(8)], [SERVER.withheld(1.0)]):
        found = of(0.5, "p99<2s", served(loads, scenario))
        assert (found.answer, found.sure_per_s) == ("undecided", 0.0)


def test_a_load_that_broke_below_leaves_it_open():
    broken = replace(SERVER.load(1.5), metrics=Server(3.0).load(1.5).metrics, verdict="broken")
    scenario = {"_target_": "asr_scaling.scenario.requests.Requests"}
    found = of(2.0, "p99<2s", searched(SERVER), served([broken], scenario))
    assert found.answer == "undecided"


def test_errors_and_words_of_a_load_are_held_against_the_bound():
    wrong = replace(SERVER, wer=0.07)
    assert of(1.0, "p99<2s,wer<=6", asked(SERVER, 1.0)).answer == "held"
    assert of(1.0, "p99<2s,wer<=6", asked(wrong, 1.0)).answer == "undecided"
    load = SERVER.load(1.0)
    lost = replace(load.metrics[0], name="load/refused_share", value=0.005, interval=None)
    scenario = {"_target_": "asr_scaling.scenario.requests.Requests"}
    some = served([replace(load, metrics=(*load.metrics, lost))], scenario)
    assert of(1.0, "p99<2s,errors<=1%", some).answer == "held"
    assert of(1.0, "p99<2s,errors=0", some).answer == "undecided"


def test_an_overloaded_system_holds_nothing_whatever_its_percentiles():
    load = replace(SERVER.load(1.0), verdict="overloaded")
    scenario = {"_target_": "asr_scaling.scenario.requests.Requests"}
    assert of(1.0, "p99<2s", served([load], scenario)).answer == "not held"
