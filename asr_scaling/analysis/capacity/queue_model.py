"""A queue fitted to half of a record's loads and judged on the other half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.load_point import LoadPoint
from asr_scaling.load.queue_law import Drawn, Gaps, QueueLaw, drawn, latencies

_Floats = NDArray[np.float64]
FEWEST_LOADS = 4
_QUANTILES = 512
_PERCENTILES = (50, 90, 95, 99)
_RUNS, _REQUESTS = 150, 150
_SEED = 42
_TRIES = 120
"""Queues that are tried for a fit."""
_BATCHED = 1.05
"""Mean size of calls from which on they are batches."""


@dataclass(frozen=True)
class Prediction:
    """A load that the queue was not fitted to.

    offered_per_s: of the load.
    name: "p50" or "p99".
    measured_s, predicted_s: that percentile of the latency.
    """

    offered_per_s: float
    name: str
    measured_s: float
    predicted_s: float

    @property
    def relative_error(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True)
class QueueModel:
    """A queue and how well it foretells loads that it has not seen.

    law: the queue.
    fitted_per_s: rates of the loads that it was fitted to.
    predictions: of the other loads, by rate; p50 and p99 of each.
    """

    law: QueueLaw
    fitted_per_s: tuple[float, ...]
    predictions: tuple[Prediction, ...]

    def error(self, name: str) -> float:
        """Median of the absolute relative errors of that percentile."""
        return float(np.median([abs(p.relative_error) for p in self.predictions if p.name == name]))


def queue_model(
    loads: Sequence[LoadPoint], workers: int, most: int | None = None
) -> QueueModel | None:
    """A queue fitted to every second load by rate, from the lowest on, and judged on the others.

    workers: calls at a time. most: requests that a call takes at most; None: where calls are
        batches, as many as wait.

    Calls are lognormal. Their mean and spread, by how much they slow each other, and how much
    longer a batch takes for each further request, are those with which simulated percentiles of
    the latency are nearest the measured ones: least squares of logarithms, by Nelder & Mead 1965.
    None with fewer than four open-loop loads of one law of arrivals that settled.
    """
    kept = [load for load in loads if _usable(load)]
    laws = {load.arrivals for load in kept}
    if len({load.offered_per_s for load in kept}) < FEWEST_LOADS or len(laws) > 1:
        return None
    kept.sort(key=lambda load: load.offered_per_s or 0.0)
    fitted, others = kept[::2], kept[1::2]
    gaps: Gaps = "poisson" if laws == {"poisson"} else "constant"
    numbers = drawn(gaps, _SEED, _RUNS, _REQUESTS)
    law = _fitted(fitted, workers, most, numbers)
    predictions = tuple(
        Prediction(_rate(load), name, load.values[f"load/latency_{name}_s"], predicted)
        for load in others
        for name, predicted in _percentiles(law, _rate(load), numbers, ("p50", "p99")).items()
        if f"load/latency_{name}_s" in load.values
    )
    return QueueModel(law, tuple(_rate(load) for load in fitted), predictions)


def _usable(load: LoadPoint) -> bool:
    settled = load.verdict not in {"overloaded", "withheld"}
    return settled and load.arrivals in {"poisson", "constant"} and bool(_measured(load))


def _rate(load: LoadPoint) -> float:
    return load.offered_per_s or math.nan


def _measured(load: LoadPoint) -> dict[str, float]:
    """Percentile → latency in s, of those that are there, finite and more than 0."""
    if not load.offered_per_s:
        return {}
    values = {f"p{p}": load.values.get(f"load/latency_p{p}_s", math.nan) for p in _PERCENTILES}
    return {name: value for name, value in values.items() if 0 < value < math.inf}


def _percentiles(
    law: QueueLaw, rate_per_s: float, numbers: Drawn, names: Sequence[str]
) -> dict[str, float]:
    """Percentile → latency in s, as the queue has it at this rate."""
    times = latencies(law, rate_per_s, numbers)
    return {name: float(np.percentile(times, float(name[1:]))) for name in names}


def _fitted(loads: Sequence[LoadPoint], workers: int, most: int | None, numbers: Drawn) -> QueueLaw:
    """The queue whose percentiles are nearest those of the loads."""
    from scipy.optimize import minimize

    sizes = [load.values.get("load/batch_mean", 1.0) for load in loads]
    largest = (most or math.ceil(4 * max(sizes))) if max(sizes) > _BATCHED else 1
    first = next(iter(_measured(loads[0]).values()))
    start = [math.log(first), math.log(0.3)]
    start += [0.2] if workers > 1 else []
    start += [0.3] if largest > 1 else []

    def misfit(parameters: _Floats) -> float:
        law = _law(parameters, workers, largest)
        squares = 0.0
        for load in loads:
            measured = _measured(load)
            predicted = _percentiles(law, _rate(load), numbers, tuple(measured))
            squares += sum(math.log(predicted[n] / measured[n]) ** 2 for n in measured)
        return squares

    steps = np.array(start) + np.vstack([np.zeros(len(start)), 0.25 * np.eye(len(start))])
    options = {"maxfev": _TRIES, "xatol": 1e-3, "fatol": 1e-4, "initial_simplex": steps}
    best = minimize(misfit, start, method="Nelder-Mead", options=options)
    return _law(best.x, workers, largest)


def _law(parameters: _Floats, workers: int, most: int) -> QueueLaw:
    """The queue with these: log mean, log spread, slowness beside others, share of a batch."""
    from scipy.special import ndtri

    values = [float(value) for value in parameters]
    spread = math.exp(min(values[1], 1.0))
    normal = ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    calls = np.exp(values[0] + spread * normal - spread**2 / 2)
    slowness = abs(values[2]) if workers > 1 else 0.0
    each = abs(values[-1]) if most > 1 else 0.0
    by_size = tuple((1 + each * np.arange(most)).tolist())
    return QueueLaw(calls, workers, slowness, 0.0, by_size)
