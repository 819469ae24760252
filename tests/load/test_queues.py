"""Queues as theory has them, and their law found again in their answers."""

import math

import numpy as np
import pytest
from support.known_servers import Known, S, all_known, md1_wait_within, mmc_late
from support.simulated_servers import BatchingWorkers, Long, Workers, exponential, fixed, poisson

from asr_scaling.load.late_share import LateShare, rate_where
from asr_scaling.load.queue_fit import best_calls, dependence, law_of
from asr_scaling.load.queue_law import QueueLaw, drawn, latencies

QUANTILES = (np.arange(4000) + 0.5) / 4000
EXPONENTIAL = -S * np.log1p(-QUANTILES)
FIXED = np.full(4000, S)


@pytest.mark.parametrize("utilisation", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("limit_s", [1.0, 2.0, 5.0])
def test_one_worker_answers_as_theory_says(utilisation, limit_s):
    rate = utilisation / S
    times = LateShare("poisson", limit_s, 1)
    mm1 = times.log(QueueLaw(EXPONENTIAL), rate)
    assert mm1 == pytest.approx(-(1 / S - rate) * limit_s, rel=0.02, abs=0.01)
    md1 = times.log(QueueLaw(FIXED), rate)
    late = 1 - md1_wait_within(rate, S, limit_s - S)
    assert md1 == pytest.approx(math.log(max(late, 1e-9)), rel=0.02, abs=0.02)


@pytest.mark.parametrize("draw", [exponential(S), fixed(S)])
def test_simulated_percentiles_are_those_of_theory(draw):
    rate, requests = 2.0, 400_000
    rng = np.random.default_rng(5)
    due = poisson(rate, requests, rng)
    latency = Workers("M/G/1", draw, S).done(due, rng) - due
    exponentially = draw(np.random.default_rng(0), 2).std() > 0
    for p in (50, 95, 99):
        value = float(np.percentile(latency, p))
        if exponentially:
            assert value == pytest.approx(-math.log(1 - p / 100) / (1 / S - rate), rel=0.05)
        else:
            assert md1_wait_within(rate, S, value - S) == pytest.approx(p / 100, abs=0.003)


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_answer_as_theory_says(workers):
    rate, limit = 0.75 * workers / S, 1.5
    law = QueueLaw(EXPONENTIAL, workers)
    times = LateShare("poisson", limit, 1)
    late = math.log(mmc_late(rate, S, workers, limit))
    assert abs(times.log(law, rate) - late) < 4 * times.log_error(law, rate) + 0.02


def test_calls_slow_each_other():
    """Two workers at half speed each, with exponential calls, are as one: M/M/1."""
    rate, limit = 0.6 / S, 3.0
    law = QueueLaw(EXPONENTIAL, workers=2, slowness=1.0)
    assert law.most_per_s == pytest.approx(1 / S, rel=0.01)
    times = LateShare("poisson", limit, 1)
    late = -(1 / S - rate) * limit
    assert abs(times.log(law, rate) - late) < 4 * times.log_error(law, rate) + 0.1


def test_batches_take_what_waits():
    law = QueueLaw(np.ones(10), by_size=(1.0, 1.5, 2.0))
    numbers = drawn("constant", 1, 1, 3, settled=0)
    assert latencies(law, 100.0, numbers)[0].tolist() == pytest.approx([1.0, 2.49, 2.48])
    assert law.most_per_s == pytest.approx(1.5)


def test_a_limit_shorter_than_a_call_holds_at_no_rate():
    times = LateShare("poisson", 0.2, 1)
    law = QueueLaw(FIXED)
    assert rate_where(lambda rate: times.log(law, rate), math.log(0.01), law.most_per_s) == 0.0


@pytest.mark.parametrize("known", all_known(), ids=lambda known: known.server.name)
def test_the_law_of_a_server_is_found(known: Known):
    rng = np.random.default_rng(3)
    loads = []
    for factor in (0.7, 1.0, 1.1):
        due = poisson(known.rate_per_s * factor, 500, rng)
        loads.append((due, known.server.done(due, rng)))
    calls, form = best_calls(loads)
    law = law_of(calls, form)
    assert law.workers == getattr(known.server, "workers", 1)
    assert law.slowness < 0.15
    assert (len(law.by_size) > 1) == ("batches" in known.server.name)
    most = known.server.most_per_s
    assert law.most_per_s == pytest.approx(most, rel=0.5 if calls.most > 8 else 0.15)
    assert dependence(calls, form)[1] < 4


def test_too_few_calls_have_no_law():
    due = np.arange(30.0)
    assert best_calls([(due, due + 0.3)]) is None
    assert best_calls([(np.empty(0), np.empty(0))]) is None


@pytest.mark.slow
@pytest.mark.parametrize("known", all_known(), ids=lambda known: known.server.name)
def test_known_rates_are_those_of_long_simulations(known: Known):
    slow = isinstance(known.server, BatchingWorkers)  # to simulate; its rate varies least
    requests = 300_000 if slow else 1_500_000
    rate = Long(known.server, requests, 3).capacity(known.percentile, known.limit_s)
    heavy = known.server.name == "Pareto 2.5"
    assert rate == pytest.approx(known.rate_per_s, rel=0.025 if heavy else 0.012)
