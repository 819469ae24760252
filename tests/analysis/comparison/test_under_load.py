"""``compare`` on records with loads: capacities, and p99 at the highest rate of both."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.queues import Server, asked, searched, served

from asr_scaling.analysis.comparison.under_load import CAPACITY, P99, load_changes
from asr_scaling.analysis.comparison.verdict import compare
from asr_scaling.core.record import RunRecord

SLOW, FAST = Server(5.0), Server(9.0)


def rows(a: RunRecord, b: RunRecord) -> dict[str, object]:
    return {row.metric: row for row in load_changes(a, b)}


def test_what_holds_more_is_said_to_with_an_interval():
    capacity, p99 = load_changes(searched(SLOW), searched(FAST))
    assert (capacity.metric, capacity.verdict, capacity.qualifier) == (CAPACITY, "more", "p99<2s")
    change = FAST.capacity / SLOW.capacity - 1
    assert capacity.relative == pytest.approx(change)
    assert capacity.interval.low < change < capacity.interval.high
    assert (p99.metric, p99.verdict) == (P99, "less")
    assert p99.qualifier == "poisson arrivals, 4 requests/s"


def test_equal_systems_can_not_be_told_apart():
    capacity, p99 = load_changes(searched(SLOW), searched(SLOW))
    assert (capacity.answer, p99.answer) == ("can't tell", "can't tell")
    exact = replace(SLOW, spread=0.01)
    capacity, _ = load_changes(searched(exact), searched(exact))
    assert capacity.answer == "same"


def test_capacities_under_other_bounds_are_not_compared():
    capacity, _ = load_changes(searched(SLOW), searched(replace(FAST, bound_s=1.0)))
    assert capacity.reason == "their bounds are p99<2s and p99<1s"
    assert capacity.relative is None


def test_p99_is_compared_at_a_rate_of_both_only():
    assert load_changes(asked(SLOW, 1.0), asked(FAST, 2.0)) == ()
    scenario = {"_target_": "asr_scaling.scenario.requests.Requests"}
    closed = [served([server.closed(2)], scenario) for server in (SLOW, FAST)]
    assert load_changes(*closed) == ()
    withheld = served([SLOW.withheld(1.0)], scenario)
    assert load_changes(withheld, asked(FAST, 1.0)) == ()


def test_compare_has_the_rows_and_says_what_differs():
    found = compare(searched(SLOW), searched(FAST, serving="batched"))
    assert found.row(CAPACITY).verdict == "more"
    assert any("serving" in note for note in found.notes)
    assert {"unit": "1/s"}.items() <= found.to_json()["rows"][-2].items()
