"""A queue fitted to half of the loads of simulated servers foretells the other half."""

import numpy as np
import pytest
from support.known_servers import S
from support.simulated_servers import Batches, Workers, lognormal, poisson

from asr_scaling.analysis.capacity.queue_model import Prediction, queue_model
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.metric import Metric

SHARES = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8)


def load_point(server, rate, requests=4000, batch=None, **options):
    rng = np.random.default_rng(int(1000 * rate))
    due = poisson(rate, requests, rng)
    done = server.done(due, rng)
    values = {f"p{p}": float(np.percentile(done - due, p)) for p in (50, 90, 95, 99)}
    rows = {f"load/latency_{name}_s": value for name, value in values.items()}
    if batch:
        rows["load/batch_mean"] = requests / len(np.unique(done))
    metrics = tuple(Metric(name, value) for name, value in rows.items())
    seconds = float(due[-1] - due[0])
    return LoadPoint("poisson", rate, seconds, requests, requests, metrics=metrics, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "workers", "most"),
    [
        (Workers("one", lognormal(S, 0.4), S), 1, None),
        (Workers("two", lognormal(S, 0.4), S, 2), 2, None),
        (Batches("batches", 0.2, 0.1, 8, 0.1), 1, 8),
    ],
    ids=["one", "two", "batches"],
)
def test_the_other_half_is_foretold(server, workers, most):
    loads = [
        load_point(server, share * server.most_per_s, batch=most is not None) for share in SHARES
    ]
    model = queue_model(loads[::-1], workers, most)
    assert model.fitted_per_s == tuple(load.offered_per_s for load in loads[::2])
    assert [p.offered_per_s for p in model.predictions[::2]] == [
        load.offered_per_s for load in loads[1::2]
    ]
    assert model.error("p50") < 0.1
    assert model.error("p99") < 0.2
    assert model.law.most_per_s == pytest.approx(server.most_per_s, rel=0.15)


def test_what_says_nothing_of_the_service_is_left_out():
    server = Workers("one", lognormal(S, 0.4), S)
    loads = [load_point(server, share / S, 500) for share in SHARES[:4]]
    wrong = load_point(server, 3.2, 500, verdict="overloaded")
    late = load_point(server, 3.1, 500, verdict="withheld")
    assert queue_model(loads[:3], 1) is None
    assert queue_model([*loads[:3], wrong, late], 1) is None
    with_them, without = queue_model([*loads, wrong, late], 1), queue_model(loads, 1)
    assert with_them.predictions == without.predictions


def test_an_error_is_relative():
    assert Prediction(1.0, "p50", 2.0, 1.5).relative_error == -0.25
