"""Figures of a point that was measured in several rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from asr_scaling.core.call_summary import NO_STEPS, RTFX_WITHOUT, rtfx_without, summarise
from asr_scaling.core.energy_methods import GUESSED, METHOD, of_energy
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import spread_of
from asr_scaling.core.statistics import mean_interval, noise_floor
from asr_scaling.machine.interference import times_by_input
from asr_scaling.records.process_intervals import OF_STARTING, OfEach, of_both_levels

_Value = TypeVar("_Value")
_LATENCY = "latency/mean_s"
_FLOOR = "noise/latency_floor"
_COMBINED: Mapping[str, Callable[[list[float]], float]] = {
    **dict.fromkeys(
        ("energy/windows", "energy/total_j", "energy/cpu_j", "energy/memory_j", "energy/gpu_j"), sum
    ),
    "workload/warmup_iterations": sum,
    "energy/ticks": min,
    **dict.fromkeys(
        ("workload/audio_s", "workload/processed_audio_s", "workload/repeated_utterances"), max
    ),
}
"""Metrics of which a mean over rounds would be wrong, with the function to use instead."""
_OF_TEXTS = "quality/"
"""Begins the names of what is counted in transcripts: rounds may have scored different ones."""


def figures(
    rounds: Sequence[RunRecord],
    samples: Sequence[Sample],
    repeats: Mapping[str, tuple[float, ...]],
    own: OfEach,
) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """Metrics of the merged record, and why others are unavailable in every round.

    own: the figures of each round where these are several processes; else none.
    """
    read = max(rounds, key=fullness)
    rows = by_name(
        {m.name: m for m in record.metrics if record is read or not m.name.startswith(_OF_TEXTS)}
        for record in rounds
    )
    reasons = by_name(record.unavailable for record in rounds)
    unavailable = {name: first for name, (first, *_) in reasons.items()}
    metrics = {name: _mean(name, row, repeats.get(name, ())) for name, row in rows.items()}
    if samples and _LATENCY in metrics:
        summary = summarise(samples)
        for name, why in summary.unavailable.items():
            metrics.pop(name, None)
            if why != NO_STEPS or name not in unavailable:  # a round's own reason says more
                unavailable[name] = why
        metrics |= {metric.name: metric for metric in summary.metrics}
        _without_looping(rounds, samples, metrics, unavailable)
    if own:
        metrics = of_both_levels(metrics, own, spread_of(rounds[0].environment))
    floor = noise_floor(times_by_input(samples))
    if floor is not None:
        metrics[_FLOOR] = Metric(_FLOOR, floor, len(samples))
    if any(record.tags.get(METHOD) == GUESSED for record in rounds):
        metrics |= {n: replace(m, interval=None) for n, m in metrics.items() if of_energy(n)}
    lacking = {name: why for name, why in unavailable.items() if name not in metrics}
    return tuple(metrics.values()), lacking


def _without_looping(
    rounds: Sequence[RunRecord],
    samples: Sequence[Sample],
    metrics: dict[str, Metric],
    unavailable: dict[str, str],
) -> None:
    """RTFx without looping utterances over all samples, where a round has looked for them."""
    transcripts = [row for record in rounds for row in record.transcripts]
    if (RTFX_WITHOUT not in metrics and RTFX_WITHOUT not in unavailable) or not transcripts:
        return
    found = rtfx_without(samples, {row["id"] for row in transcripts if row.get("looping")})
    metrics.pop(RTFX_WITHOUT, None)
    if isinstance(found, Metric):
        metrics[RTFX_WITHOUT] = found
    else:
        unavailable[RTFX_WITHOUT] = found


def _mean(name: str, metrics: Sequence[Metric], repeats: Sequence[float]) -> Metric:
    values = [metric.value for metric in metrics]
    if name in _COMBINED:
        n = sum(metric.n or 0 for metric in metrics) or None
        return Metric(name, _COMBINED[name](values), n)
    if len(metrics) > 1 and repeats:
        return Metric(name, statistics.fmean(repeats), len(repeats), mean_interval(repeats))
    if len(set(values)) == 1 and not name.startswith(OF_STARTING):
        return metrics[0]
    return Metric(name, statistics.fmean(values), len(values), mean_interval(values))


def fullness(record: RunRecord) -> tuple[int, bool]:
    """How much a round has besides times; only the first round takes every measurement."""
    return len(record.transcripts), bool(record.system)


def by_name(rounds: Iterable[Mapping[str, _Value]]) -> dict[str, list[_Value]]:
    """All values of each name, in the order of the rounds."""
    values: dict[str, list[_Value]] = {}
    for own in rounds:
        for name, value in own.items():
            values.setdefault(name, []).append(value)
    return values
