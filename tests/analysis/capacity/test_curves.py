"""Curves of systems whose loads are known: which points are one system, what it holds and costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.queues import Server, asked, searched, served
from support.studies import BASE, record

from asr_scaling.analysis.capacity.curves import Curve, at_rate, cost, curves
from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.energy_methods import GUESSED
from asr_scaling.core.record import RunRecord

SERVER = Server(5.0)  # holds 5 - ln(100) / 2 = 2.697 requests a second


def of(*records: RunRecord) -> list[Curve]:
    return curves(named(map(to_point, records)))


def test_rates_of_a_sweep_are_one_curve():
    rates = (4.0, 0.5, 2.0, 1.0)
    (curve,) = of(*(asked(SERVER, rate, swept={"scenario.rate": str(rate)}) for rate in rates))
    assert [step.offered_per_s for step in curve.steps] == sorted(rates)
    assert curve.point.system == "whisper_tiny_en"
    assert [step.verdict for step in curve.steps] == ["held", "held", "held", "broken"]
    assert len(curve.points) == 4


def test_how_requests_are_served_tells_systems_apart():
    batched = {"serving": "batched", "options": {"max_batch": 8}}
    wider = {"serving": "batched", "options": {"max_batch": 16}}
    found = of(searched(SERVER), searched(SERVER, **batched), searched(SERVER, **wider))
    assert [curve.point.system for curve in found] == [
        "whisper_tiny_en · serving=direct",
        "whisper_tiny_en · serving=batched",
        "whisper_tiny_en · serving=batched · serving.max_batch=16",
    ]


def test_a_point_of_calls_alone_keeps_its_name_and_has_no_curve():
    plain = record(BASE, None, 1)
    points = named(map(to_point, [searched(SERVER), plain]))
    assert [point.system for point in points] == ["whisper_tiny_en", "whisper_base"]
    assert len(curves(points)) == 1


def test_the_capacity_is_that_of_the_search():
    (curve,) = of(searched(SERVER))
    value, interval = curve.capacity
    assert value == pytest.approx(SERVER.capacity)
    assert interval.low < value < interval.high
    assert (curve.held_to, curve.broken_from, curve.why_none) == (2.0, 4.0, "")


def test_without_a_search_loads_bracket_it_and_the_reason_is_kept():
    (curve,) = of(asked(SERVER, 1.0), asked(SERVER, 4.0))
    assert curve.capacity is None
    assert (curve.holds, curve.broken_from) == (1.0, 4.0)
    assert "scenario=capacity" in curve.why_none
    reason = {"capacity/rate_per_s": "The bound was kept at every rate."}
    scenario = {"_target_": "asr_scaling.scenario.capacity.Capacity"}
    (other,) = of(served([SERVER.load(1.0)], scenario, unavailable=reason))
    assert other.why_none == "The bound was kept at every rate."


def test_closed_loads_have_a_curve_of_their_own():
    loads = [SERVER.load(1.0), SERVER.closed(2), SERVER.closed(4)]
    opened, closed = of(served(loads, {"_target_": "asr_scaling.scenario.requests.Requests"}))
    assert (opened.closed, closed.closed) == (False, True)
    assert [step.clients for step in closed.steps] == [2, 4]
    assert closed.near(1.0) is None


def test_withheld_loads_are_kept_apart():
    loads = [SERVER.load(1.0), SERVER.withheld(2.0)]
    (curve,) = of(served(loads, {"_target_": "asr_scaling.scenario.requests.Requests"}))
    assert [step.offered_per_s for step in curve.steps] == [1.0]
    assert [load.offered_per_s for load in curve.withheld] == [2.0]


def test_an_hour_of_audio_costs_more_at_half_the_capacity():
    (curve,) = of(searched(SERVER))
    full, half = (cost(curve, SERVER.capacity * share) for share in (1.0, 0.5))
    assert (full.load.offered_per_s, half.load.offered_per_s) == (2.0, 1.0)
    assert full.machine_s == pytest.approx(3600 / 10)
    assert half.machine_s == pytest.approx(3600 / 5)
    # 20 W idle, 60 W more where busy all the time
    assert full.joules[0] == pytest.approx(3600 * (20 + 60 * 0.4) / 10)
    assert half.joules[0] == pytest.approx(3600 * (20 + 60 * 0.2) / 5)


def test_joules_of_guessed_power_are_none():
    (curve,) = of(searched(SERVER, method=GUESSED))
    assert cost(curve, 2.0).joules is None


def test_between_two_loads_power_is_on_the_line():
    (curve,) = of(searched(SERVER, rates=(1.0, 2.0)))
    name = "load/energy_per_audio_hour_j"
    value, interval = at_rate(curve, 1.5, name, per_second=True)
    assert value == pytest.approx(3600 * (20 + 60 * 0.3) / 7.5)  # as the server has it
    assert interval.low < value < interval.high
    beyond, _ = at_rate(curve, 9.0, name, per_second=True)
    assert beyond == curve.steps[-1].value(name)


def test_what_was_measured_elsewhere_is_another_system():
    one = searched(SERVER)
    other = replace(one, dataset={**one.dataset, "digest": "other"})
    assert len(of(one, other)) == 2
