"""Memory: what a process holds that has only this system in it, and the accelerator's peak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from asr_scaling.core.memory_parts import MEMORY_PARTS
from asr_scaling.core.metric import Metric
from asr_scaling.core.older_records import MEMORY_SCOPE
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.errors import AsrScalingError
from asr_scaling.machine.fresh_process import in_fresh_process
from asr_scaling.profiler._serving_process import CALLS, Held, serve

_NO_DEVICE = "a CPU has no memory of its own; read memory/peak_rss_bytes"
_NO_FILES = "this system does not tell pages of files from others"
_PEAK, _MAPPED = "memory/peak_rss_bytes", "memory/mapped_rss_bytes"
_ON_DEVICE = "memory/process_device_bytes"
_START_S, _PATIENCE = 60.0, 10.0
_PARTS = {step: f"memory/{step}_rss_bytes" for step in MEMORY_PARTS}


@dataclass(frozen=True)
class Memory:
    """Loads the system once more, in a process of its own, and has it transcribe there.

    ``seconds``: after these the process is ended, and memory is unavailable; None for a minute and
    ten times what loading and calls took here.
    ``process``: tests replace it.
    """

    seconds: float | None = None
    process: Callable[..., Held] = field(default=in_fresh_process, repr=False)
    name: str = field(default="memory", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def __post_init__(self) -> None:
        fits = self.seconds is None or self.seconds > 0
        must_be("profiler.memory.seconds", self.seconds, fits, "more than 0, or null")

    def measure(self, session: Session) -> Findings:
        """Peaks in bytes, and their parts, which add up to the peak of the process.

        What another process can't do is unavailable, with its reason.
        """
        findings = [_on_device(session), self._alone(session)]
        metrics = tuple(metric for found in findings for metric in found.metrics)
        unavailable: dict[str, str] = {}
        for found in findings:
            unavailable |= found.unavailable
        hidden = session.system.facts.unobservable
        unavailable |= {name: why for name, why in hidden.items() if name.startswith("memory/")}
        observed = tuple(metric for metric in metrics if metric.name not in unavailable)
        return Findings(observed, unavailable, tags=findings[1].tags)

    def _alone(self, session: Session) -> Findings:
        """What the process of this system alone holds."""
        system = (session.model, session.engine, session.device)
        try:
            held = self.process(serve, (system, session.largest), self._limit_s(session))
        except AsrScalingError as error:
            names = (_PEAK, *_PARTS.values(), _MAPPED)
            return Findings(unavailable=dict.fromkeys(names, str(error)))
        metrics = [Metric(_PEAK, held.peak, CALLS)]
        metrics += [Metric(_PARTS[step], size) for step, size in held.parts.items()]
        unavailable = {}
        if held.files is None:
            unavailable[_MAPPED] = _NO_FILES
        else:
            metrics.append(Metric(_MAPPED, held.files))
        if isinstance(held.on_device, str):
            unavailable[_ON_DEVICE] = held.on_device
        elif held.on_device is not None:
            metrics.append(Metric(_ON_DEVICE, held.on_device))
        tags = {"memory/method": held.method, **MEMORY_SCOPE}
        return Findings(tuple(metrics), unavailable, tags=tags)

    def _limit_s(self, session: Session) -> float:
        if self.seconds is not None:
            return self.seconds
        slowest = max((sample.total_s for sample in (*session.warmup, *session.samples)), default=0)
        return _START_S + _PATIENCE * (session.system.facts.load_s + CALLS * slowest)


def _on_device(session: Session) -> Findings:
    """Weights, and what warm-up and timed pass allocated on the accelerator at most."""
    weights, peak = session.system.facts.weights_bytes, session.device_peak_bytes
    metrics = [Metric("memory/weights_bytes", weights)]
    if peak is None:
        names = ("memory/peak_device_bytes", "memory/activations_bytes")
        return Findings(tuple(metrics), dict.fromkeys(names, _NO_DEVICE))
    calls = len(session.warmup) + len(session.samples)
    metrics += [
        Metric("memory/peak_device_bytes", peak, calls),
        Metric("memory/activations_bytes", max(0, peak - weights), calls),
    ]
    return Findings(tuple(metrics))
