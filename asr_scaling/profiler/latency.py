"""Latency, stages and throughput, all read from the samples of the timed pass."""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.profiler._figures import Figures, findings_of

_KEPT = (
    "the model stayed loaded from the point before, whose record has it: "
    "sweep.keep_loaded=false loads it anew"
)


@dataclass(frozen=True)
class Latency:
    """Runs nothing of its own."""

    name: str = field(default="latency", init=False)
    phase: Phase = field(default="timed", init=False)

    def measure(self, session: Session) -> Findings:
        """The figures of the samples, and what starting cost."""
        facts = session.system.facts
        summary = summarise(session.samples)
        figures: Figures = {metric.name: metric for metric in summary.metrics}
        for name, why in summary.unavailable.items():
            figures[name] = facts.unobservable.get(name, why)
        figures["startup/load_s"] = Metric("startup/load_s", facts.load_s, 1)
        calls = [sample.total_s for sample in session.warmup]
        if calls and not session.kept:
            figures["startup/first_call_s"] = Metric("startup/first_call_s", calls[0], 1)
        if calls:
            figures["startup/warmup_s"] = Metric("startup/warmup_s", sum(calls), len(calls))
        figures["startup/compile_s"] = "the engine compiled nothing"
        if facts.compile_s is not None:
            figures["startup/compile_s"] = Metric("startup/compile_s", facts.compile_s, 1)
        if session.kept:
            figures["startup/first_call_s"] = _KEPT
        return findings_of(figures)
