"""The start that is cut, and overload, on simulated servers."""

import numpy as np
import pytest
from support.known_servers import all_known
from support.simulated_servers import BatchingWorkers, one_by_one, poisson

from asr_scaling.load.cycles import cycles, found
from asr_scaling.load.steadiness import backlog, start_to_cut

KNOWN = {known.server.name: known for known in all_known()}
INF = float("inf")


def test_what_a_request_finds():
    due = np.array([0.0, 1.0, 2.0, 10.0])
    done = np.array([5.0, 1.5, 7.0, INF])
    assert found(due, done).tolist() == [0, 1, 1, 0]
    assert cycles(due, done).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("name", KNOWN)
def test_a_steady_system_is_hardly_ever_called_overloaded(name):
    known = KNOWN[name]
    requests = max(500, round(20 * known.limit_s * known.rate_per_s))  # as a load has
    over = [_overloaded(known.server, known.rate_per_s, requests, seed) for seed in range(100)]
    near_its_limit = isinstance(known.server, BatchingWorkers)  # a queue that is long in growing
    assert sum(over) <= (8 if near_its_limit else 3)


@pytest.mark.parametrize("name", KNOWN)
def test_overload_is_found(name):
    server = KNOWN[name].server
    rate = 1.25 * server.most_per_s
    assert all(_overloaded(server, rate, 1000, seed) for seed in range(50))


def _overloaded(server, rate, requests, seed):
    rng = np.random.default_rng(seed)
    due = poisson(rate, requests, rng)
    return backlog(due, server.done(due, rng)).overloaded


def test_one_stall_is_no_overload():
    due = np.arange(500) / 2.0
    service = np.full(500, 0.3)
    service[440] = 30.0
    trend = backlog(due, one_by_one(due, service))
    assert not trend.overloaded
    service[:] = 0.6
    trend = backlog(due, one_by_one(due, service))
    assert trend.overloaded
    assert trend.interval.low < trend.slope_per_s < trend.interval.high
    assert trend.slope_per_s == pytest.approx(2.0 - 1 / 0.6, rel=0.05)


def test_two_requests_say_nothing():
    assert not backlog(np.array([0.0, 1.0]), np.array([INF, INF])).overloaded
    assert not backlog(np.array([1.0, 1.0]), np.array([2.0, 3.0])).overloaded


def test_a_slow_start_is_cut():
    cuts = [start_to_cut(_latency(seed, slow=60)) for seed in range(60)]
    assert np.mean([30 <= cut <= 130 for cut in cuts]) > 0.7


def test_a_steady_start_is_hardly_cut():
    cuts = [start_to_cut(_latency(seed, slow=0)) for seed in range(200)]
    assert np.mean([cut == 0 for cut in cuts]) > 0.85
    assert start_to_cut(np.array([INF] * 12)) == 0
    assert start_to_cut(np.ones(3)) == 0


def _latency(seed, slow):
    rng = np.random.default_rng(seed)
    known = KNOWN["lognormal 0.4"]
    due = poisson(known.rate_per_s, 500, rng)
    latency = known.server.done(due, rng) - due
    latency[:slow] *= 3
    return latency
