"""Latency, stages and throughput of timed calls, each with its interval."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from asr_scaling.core.record import Findings, Metric, Sample
from asr_scaling.core.statistics import (
    PERCENTILES,
    mean_interval,
    percentile,
    percentile_interval,
    precision,
    ratio_interval,
    samples_needed,
)

NO_STEPS = "the model does not decode step by step"


def summarise(samples: Sequence[Sample]) -> Findings:
    """Latency, time per utterance, stage means and RTFx over all calls, each with its interval.

    A percentile that needs more calls than there are is unavailable, with the number it needs.
    """
    totals = [sample.total_s for sample in samples]
    n, sizes = len(samples), [len(sample.utterances) for sample in samples]
    audio = [sample.audio_s for sample in samples]
    whole, withheld = _distribution("latency", totals)
    each, withheld_each = _distribution(
        "latency_per_utterance", [t / k for t, k in zip(totals, sizes, strict=True)]
    )
    tokens, no_tokens = _tokens(samples)
    metrics = [
        *whole,
        *each,
        *_stages(samples),
        Metric("throughput/rtfx", sum(audio) / sum(totals), n, ratio_interval(audio, totals)),
        Metric(
            "throughput/samples_per_s", sum(sizes) / sum(totals), n, ratio_interval(sizes, totals)
        ),
        Metric("workload/iterations", n),
        Metric(
            "workload/decoded_again_share", sum(s.again for s in samples) / sum(sizes), sum(sizes)
        ),
        *tokens,
    ]
    unavailable = withheld | withheld_each | no_tokens
    if "latency/p50_s" not in unavailable:
        metrics.append(Metric("latency/p50_precision", precision(totals), n))
    if "latency/p99_s" in unavailable:
        unavailable["latency/p99_over_p50"] = unavailable["latency/p99_s"]
    else:
        metrics.append(
            Metric("latency/p99_over_p50", percentile(totals, 99) / percentile(totals, 50), n)
        )
    return Findings(tuple(metrics), unavailable)


def _distribution(prefix: str, values: Sequence[float]) -> tuple[list[Metric], dict[str, str]]:
    n = len(values)
    rows = [Metric(f"{prefix}/mean_s", statistics.fmean(values), n, mean_interval(values))]
    withheld = {}
    for p in PERCENTILES:
        if n >= samples_needed(p):
            rows.append(
                Metric(f"{prefix}/p{p}_s", percentile(values, p), n, percentile_interval(values, p))
            )
        else:
            withheld[f"{prefix}/p{p}_s"] = (
                f"{n} calls can't bound it, {samples_needed(p)} can: {_MORE}"
            )
    return rows, withheld


_MORE = "raise pipeline.min_iterations and pipeline.max_seconds"


def _stages(samples: Sequence[Sample]) -> list[Metric]:
    names = dict.fromkeys(name for sample in samples for name in sample.stages)
    rows = []
    for name in names:
        times = [sample.stages.get(name, 0.0) for sample in samples]
        rows.append(
            Metric(f"stage/{name}_s", statistics.fmean(times), len(times), mean_interval(times))
        )
    return rows


def _tokens(samples: Sequence[Sample]) -> tuple[list[Metric], dict[str, str]]:
    metrics, unavailable = [], {}
    rules: dict[str, Callable[[Sample], float | None]] = {
        "latency/first_token_s": lambda sample: sample.first_token_s,
        "latency/per_token_s": lambda sample: (
            statistics.fmean(sample.step_s) if sample.step_s else None
        ),
    }
    for name, rule in rules.items():
        values = [value for value in map(rule, samples) if value is not None]
        if values:
            metrics.append(
                Metric(name, percentile(values, 50), len(values), percentile_interval(values, 50))
            )
        else:
            unavailable[name] = NO_STEPS
    tokens, audio = [float(sum(s.tokens)) for s in samples], [s.audio_s for s in samples]
    rate = sum(tokens) / sum(audio)
    metrics.append(
        Metric("workload/tokens_per_s", rate, len(samples), ratio_interval(tokens, audio))
    )
    return metrics, unavailable
