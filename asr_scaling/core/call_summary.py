"""Latency, stages and throughput of timed calls, each with its interval."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import (
    PERCENTILES,
    mean_interval,
    percentile,
    percentile_interval,
    precision,
    ratio_interval,
    samples_needed,
)

RTFX_WITHOUT = "throughput/rtfx_without_looping"
NO_STEPS = "the model does not decode step by step"
_NO_TOKENS = "no call told of a token"
_MORE = "raise pipeline.min_iterations and pipeline.max_seconds"


def summarise(samples: Sequence[Sample], every: bool = False) -> Findings:
    """Latency, time per utterance, mean time of stages and RTFx over all calls.

    A percentile that needs more calls than there are is unavailable, with the number it needs;
    ``every``: it is there all the same, for a comparison of processes.
    """
    n, totals = len(samples), [sample.total_s for sample in samples]
    audio = [sample.audio_s for sample in samples]
    sizes = [len(sample.utterances) for sample in samples]
    shares = [total / size for total, size in zip(totals, sizes, strict=True)]
    calls, few_calls = _distribution("latency", totals, every)
    utterances, few_utterances = _distribution("latency_per_utterance", shares, every)
    steps, no_steps = _steps(samples)
    again, utterance_count = sum(sample.again for sample in samples), sum(sizes)
    metrics = [
        *calls,
        *utterances,
        *_stages(samples),
        _ratio("throughput/rtfx", audio, totals),
        _ratio("throughput/samples_per_s", sizes, totals),
        Metric("workload/iterations", n),
        Metric("workload/decoded_again_share", again / utterance_count, utterance_count),
        *steps,
    ]
    unavailable = few_calls | few_utterances | no_steps
    if any(tokens := [sum(sample.tokens) for sample in samples]):
        metrics.append(_ratio("workload/tokens_per_s", tokens, audio))
    else:
        unavailable["workload/tokens_per_s"] = _NO_TOKENS
    if "latency/p50_s" not in unavailable and not every:
        metrics.append(Metric("latency/p50_precision", precision(totals), n))
    if "latency/p99_s" in unavailable:
        unavailable["latency/p99_over_p50"] = unavailable["latency/p99_s"]
    else:
        tail = percentile(totals, 99) / percentile(totals, 50)
        metrics.append(Metric("latency/p99_over_p50", tail, n))
    return Findings(tuple(metrics), unavailable)


def rtfx_without(samples: Sequence[Sample], looping: Collection[str]) -> Metric | str:
    """RTFx of the calls that contain none of the ``looping`` utterances; else why there is none."""
    left = [s for s in samples if not set(looping).intersection(s.utterances)]
    if not left:
        return "every timed call contains an utterance whose hypothesis loops"
    audio, totals = [s.audio_s for s in left], [s.total_s for s in left]
    return _ratio(RTFX_WITHOUT, audio, totals)


def _distribution(
    prefix: str, values: Sequence[float], every: bool
) -> tuple[list[Metric], dict[str, str]]:
    """Mean and percentiles of ``values``, and why the other percentiles are unavailable."""
    n, needed = len(values), {p: 0 if every else samples_needed(p) for p in PERCENTILES}
    withheld = {
        f"{prefix}/p{p}_s": f"{n} calls can't bound it, {calls} can: {_MORE}"
        for p, calls in needed.items()
        if n < calls
    }
    tails = [_percentile(f"{prefix}/p{p}_s", values, p) for p in PERCENTILES if n >= needed[p]]
    return [_mean(f"{prefix}/mean_s", values), *tails], withheld


def _stages(samples: Sequence[Sample]) -> list[Metric]:
    names = dict.fromkeys(name for sample in samples for name in sample.stages)
    return [
        _mean(f"stage/{name}_s", [sample.stages.get(name, 0.0) for sample in samples])
        for name in names
    ]


def _steps(samples: Sequence[Sample]) -> tuple[list[Metric], dict[str, str]]:
    """Median times of decoding steps, and why the others are unavailable."""
    first_s = [sample.first_token_s for sample in samples if sample.first_token_s is not None]
    later_s = [statistics.fmean(sample.step_s) for sample in samples if sample.step_s]
    times = {"latency/first_token_s": first_s, "latency/per_token_s": later_s}
    metrics = [_percentile(name, values, 50) for name, values in times.items() if values]
    return metrics, {name: NO_STEPS for name, values in times.items() if not values}


def _mean(name: str, values: Sequence[float]) -> Metric:
    return Metric(name, statistics.fmean(values), len(values), mean_interval(values))


def _percentile(name: str, values: Sequence[float], p: float) -> Metric:
    return Metric(name, percentile(values, p), len(values), percentile_interval(values, p))


def _ratio(name: str, tops: Sequence[float], bottoms: Sequence[float]) -> Metric:
    return Metric(name, sum(tops) / sum(bottoms), len(tops), ratio_interval(tops, bottoms))
