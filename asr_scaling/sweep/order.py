"""A sweep before it runs: its points in an order that loads each model once, and roughly what they cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from asr_scaling.core.model_spec import load_spec
from asr_scaling.errors import ConfigError

_WORKLOAD = ("dataset", "batch", "pipeline", "profiler", "tracking", "sweep", "hydra")
"""Groups that leave the loaded system as it is."""
_NATURAL_S, _TYPICAL_PARAMETERS = 10.0, 1e8
_LARGEST = 64.0
"""What ``batch=max`` is taken for before it is found."""


def neighbours(jobs: Sequence[list[str]]) -> list[list[str]]:
    """``jobs``, each a list of overrides, with those of one system side by side, lighter ones first.

    What a heavy point leaves in the heap of the process would count as memory of a lighter one after it. A heap that is
    kept can't be given back to systems that would release it, so these come last.
    """
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for job in jobs:
        groups.setdefault(tuple(o for o in job if _group(o) not in _WORKLOAD), []).append(job)
    ordered = sorted(
        groups.items(), key=lambda item: any(_keeps_heap(override) for override in item[0])
    )
    return [job for _, group in ordered for job in sorted(group, key=weight)]


def labels(jobs: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What tells each of ``jobs`` from the others: its overrides that not all of them have."""
    common = set(jobs[0]).intersection(*jobs) if jobs else set()
    return tuple(" ".join(override for override in job if override not in common) for job in jobs)


def weight(job: Sequence[str]) -> float:
    """Roughly what a call of ``job`` costs: parameters × seconds of audio × batch; only ratios mean anything."""
    options = dict(override.lstrip("+").partition("=")[::2] for override in job)
    length, size = options.get("dataset.length_s", ""), options.get("batch.size", "1")
    batch = _LARGEST if options.get("batch") == "max" else _number(size, 1.0)
    return _parameters(options.get("model", "")) * _number(length, _NATURAL_S) * batch


def seconds_left(done: Sequence[tuple[float, float]], left: Sequence[float]) -> float:
    """Seconds that points of weights ``left`` will take, learnt from (weight, seconds) of those ``done``, one at least.

    A point takes c + k · weight: least squares where that makes sense (neither negative), else the mean.
    """
    n = len(done)
    mean_w, mean_s = sum(w for w, _ in done) / n, sum(s for _, s in done) / n
    spread = sum((w - mean_w) ** 2 for w, _ in done)
    slope = sum((w - mean_w) * (s - mean_s) for w, s in done) / spread if spread else 0.0
    constant = mean_s - slope * mean_w
    if slope < 0 or constant < 0:
        slope, constant = (0.0, mean_s) if slope < 0 else (mean_s / mean_w, 0.0)
    return sum(constant + slope * w for w in left)


def _keeps_heap(override: str) -> bool:
    key, _, value = override.lstrip("+").partition("=")
    return (key == "optimisation" and "keep_heap" in value) or (
        key == "device.heap" and value == "keep"
    )


def _group(override: str) -> str:
    return (
        override.lstrip("+~")
        .partition("=")[0]
        .partition(".")[0]
        .partition("/")[0]
        .partition("@")[0]
    )


def _number(text: str, otherwise: float) -> float:
    try:
        number = float(text.strip("'\""))
    except ValueError:
        return otherwise
    return (
        number if 0 < number < math.inf else otherwise
    )  # what is neither fails the point, not its weight


@functools.cache
def _parameters(model: str) -> float:
    """A model that is not in conf/model (one of --config-dir) is taken for a typical one."""
    try:
        return float(load_spec(model).parameters)
    except ConfigError:
        return _TYPICAL_PARAMETERS
