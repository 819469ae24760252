"""Repeated probes at a rate as one place on a curve."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from support.queues import Server

from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.metric import Metric
from asr_scaling.core.pooled_loads import pooled_loads
from asr_scaling.core.statistics import Interval

P99 = "load/latency_p99_s"
SERVER = Server(5.0)


def probe(p99: float, counted: int, half: float | None = 0.1, rate: float = 2.0) -> LoadPoint:
    ends = None if half is None else Interval(p99 - half, p99 + half)
    return SERVER.load(rate, counted, metrics=(Metric(P99, p99, counted, ends),))


def test_probes_of_a_rate_are_weighted_by_their_requests():
    (pooled,) = pooled_loads([probe(1.0, 300), probe(1.2, 900)])
    assert pooled.value(P99) == pytest.approx(1.15)
    assert pooled.counted == 1200
    assert pooled.metric(P99) is not None
    assert pooled.metric(P99).n == 1200


def test_equal_probes_narrow_the_interval_as_independent_ones_do():
    (pooled,) = pooled_loads([probe(1.0, 500)] * 4)
    assert pooled.interval(P99).high == pytest.approx(1.0 + 0.1 / 2)


def test_probes_that_differ_beyond_their_intervals_widen_it():
    (pooled,) = pooled_loads([probe(1.0, 500), probe(2.0, 500)])
    independent = 0.1 / math.sqrt(2)
    # Birge: sqrt(2 · (1.96 · 0.5 / 0.1)²) times as wide
    assert pooled.interval(P99).half(1.5) == pytest.approx(
        independent * math.sqrt(2) * 1.96 * 0.5 / 0.1
    )


def test_without_an_interval_of_each_there_is_none():
    (pooled,) = pooled_loads([probe(1.0, 500), probe(1.0, 500, half=None)])
    assert pooled.interval(P99) is None


def test_of_the_longest_times_the_longest_counts():
    longest = [
        SERVER.load(2.0, metrics=(Metric("load/latency_max_s", value),)) for value in (3.0, 1.0)
    ]
    (pooled,) = pooled_loads(longest)
    assert pooled.value("load/latency_max_s") == 3.0


def test_other_rates_laws_bounds_and_clients_are_not_mixed():
    loads = [
        SERVER.load(2.0),
        SERVER.load(2.0000000001),
        SERVER.load(3.0),
        SERVER.load(2.0, arrivals="constant"),
        SERVER.load(2.0, bound="p95<1s"),
        SERVER.closed(2),
        SERVER.closed(4),
    ]
    found = pooled_loads(loads)
    assert sorted(len(each.loads) for each in found) == [1, 1, 1, 1, 1, 2]
    assert [each.clients for each in found if each.arrivals == "closed"] == [2, 4]


def test_a_load_whose_generator_was_late_says_nothing_beside_one_that_was_not():
    (pooled,) = pooled_loads([SERVER.withheld(2.0), SERVER.load(2.0)])
    assert not pooled.withheld
    assert pooled.verdict == "held"
    assert pooled.value("load/generator_late_p99_s") == 0.0005
    assert pooled.counted == 500
    (alone,) = pooled_loads([SERVER.withheld(2.0)])
    assert alone.withheld
    assert alone.verdict == "withheld"
    assert alone.value("load/generator_late_p99_s") == 0.012


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("held", "held"), "held"),
        (("held", "broken", "held"), "held 2 of 3"),
        (("broken", "overloaded"), "broken and overloaded"),
    ],
)
def test_each_verdict_is_a_coin(verdicts: tuple[str, ...], said: str):
    (pooled,) = pooled_loads([replace(SERVER.load(2.0), verdict=each) for each in verdicts])
    assert pooled.verdict == said
    assert pooled.held == (said == "held")
