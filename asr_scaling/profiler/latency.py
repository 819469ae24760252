"""Latency, stages and throughput, all read from the samples of the timed pass."""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings, Metric
from asr_scaling.core.summary import summarise

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
        startup = [Metric("startup/load_s", facts.load_s, 1)]
        if session.warmup:
            calls = [sample.total_s for sample in session.warmup]
            if not session.kept:
                startup.append(Metric("startup/first_call_s", calls[0], 1))
            startup.append(Metric("startup/warmup_s", sum(calls), len(calls)))
        if facts.compile_s is None:
            unavailable = {"startup/compile_s": "the engine compiled nothing"}
        else:
            unavailable = {}
            startup.append(Metric("startup/compile_s", facts.compile_s, 1))
        if session.kept:
            unavailable["startup/first_call_s"] = _KEPT
        withheld = {
            name: facts.unobservable.get(name, why) for name, why in summary.unavailable.items()
        }
        return Findings((*summary.metrics, *startup), withheld | unavailable)
