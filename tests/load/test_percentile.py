"""Percentiles of simulated queues, with intervals that hold the true ones."""

import numpy as np
import pytest
from scipy.stats import binom
from support.known_servers import S
from support.simulated_servers import Workers, fixed, one_by_one, poisson

from asr_scaling.load.percentile import latency_percentile, sample_percentile

RUNS = 200


@pytest.mark.parametrize("p", [50.0, 95.0, 99.0])
def test_the_interval_holds_the_percentile_of_a_queue(p):
    """M/M/1's latency is exponential with rate mu - lambda."""
    rate = 0.6 / S
    truth = -np.log(1 - p / 100) / (1 / S - rate)
    held = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        due = poisson(rate, 2000, rng)
        latency = one_by_one(due, rng.exponential(S, 2000)) - due
        found = latency_percentile(due, latency, p)
        held += found.interval_s.low <= truth <= found.interval_s.high
    assert held >= binom.ppf(0.001, RUNS, 0.93)


def test_independent_latencies_have_the_interval_of_order_statistics():
    rng = np.random.default_rng(0)
    due, latency = np.arange(1000) * 10.0, rng.exponential(1.0, 1000)
    found = latency_percentile(due, latency, 50)
    assert found.independent > 700
    assert found.interval_s.high - found.interval_s.low < 0.2


def test_failed_requests_are_in_every_percentile():
    due, latency = np.arange(100) * 10.0, np.ones(100)
    latency[::20] = np.inf
    assert sample_percentile(latency, 95) == 1.0
    assert sample_percentile(latency, 96) == np.inf
    found = latency_percentile(due, latency, 99)
    assert found.value_s == np.inf
    assert found.interval_s.high == np.inf
    assert latency_percentile(due, np.full(100, np.inf), 50).interval_s.low == np.inf


def test_a_short_load_leaves_the_upper_end_open():
    rng = np.random.default_rng(1)
    server = Workers("M/D/1", fixed(S), S)
    due = poisson(2.0, 100, rng)
    found = latency_percentile(due, server.done(due, rng) - due, 99)
    assert found.interval_s.low <= found.value_s < found.interval_s.high == np.inf
