"""Latency, stages and throughput, all read from the samples of the timed pass."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from asr_scaling.caution import few_samples
from asr_scaling.pipeline import Session
from asr_scaling.ports import Phase
from asr_scaling.record import Findings, Metric, Sample
from asr_scaling.stats import PERCENTILES, percentile, samples_needed

_NO_STEPS = "the model does not decode step by step"


@dataclass(frozen=True)
class Latency:
    """Runs nothing of its own."""

    name: str = field(default="latency", init=False)
    phase: Phase = field(default="timed", init=False)

    def measure(self, session: Session) -> Findings:
        """Percentiles over calls, amortised time per utterance, stage means, RTFx over the whole timed pass."""
        samples = session.samples
        totals = [sample.total_s for sample in samples]
        wall, n = sum(totals), len(samples)
        utterances = sum(len(sample.utterances) for sample in samples)
        metrics = [
            *_distribution("latency", totals),
            *_distribution("latency_per_utterance", [s.total_s / len(s.utterances) for s in samples]),
            *_stages(samples),
            Metric("throughput/rtfx", sum(s.audio_s for s in samples) / wall, n),
            Metric("throughput/samples_per_s", utterances / wall, n),
            Metric("startup/load_s", session.system.facts.load_s, 1),
            Metric("workload/iterations", n),
        ]
        if session.first_call_s is not None:
            metrics.append(Metric("startup/first_call_s", session.first_call_s, 1))
        tokens, unavailable = _tokens(samples)
        cautions = tuple(
            few_samples(f"latency/p{p}_s", n, samples_needed(p)) for p in PERCENTILES if n < samples_needed(p)
        )
        return Findings((*metrics, *tokens), unavailable, cautions[-1:])


def _distribution(prefix: str, values: Sequence[float]) -> list[Metric]:
    n = len(values)
    rows = [Metric(f"{prefix}/mean_s", statistics.fmean(values), n)]
    return rows + [Metric(f"{prefix}/p{p}_s", percentile(values, p), n) for p in PERCENTILES]


def _stages(samples: Sequence[Sample]) -> list[Metric]:
    names = dict.fromkeys(name for sample in samples for name in sample.stages)
    n = len(samples)
    return [Metric(f"stage/{name}_s", statistics.fmean(s.stages.get(name, 0.0) for s in samples), n) for name in names]


def _tokens(samples: Sequence[Sample]) -> tuple[list[Metric], dict[str, str]]:
    first = [sample.first_token_s for sample in samples if sample.first_token_s is not None]
    steps = [step for sample in samples for step in sample.step_s]
    metrics, unavailable = [], {}
    if first:
        metrics.append(Metric("latency/first_token_s", percentile(first, 50), len(first)))
    else:
        unavailable["latency/first_token_s"] = _NO_STEPS
    if steps:
        metrics.append(Metric("latency/per_token_s", percentile(steps, 50), len(steps)))
    else:
        unavailable["latency/per_token_s"] = _NO_STEPS
    audio = sum(sample.audio_s for sample in samples)
    metrics.append(Metric("workload/tokens_per_s", sum(sum(s.tokens) for s in samples) / audio, len(samples)))
    return metrics, unavailable
