"""Memory: peaks over warm-up and timed pass, weights apart from activations."""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings, Metric
from asr_scaling.machine.memory import peak_resident, release_memory

_NO_DEVICE = "a CPU has no memory of its own; read memory/peak_rss_bytes"


@dataclass(frozen=True)
class Memory:
    """Reads high-water marks, which cost the calls nothing.

    Where the system keeps none, one more call is sampled.
    """

    name: str = field(default="memory", init=False)
    phase: Phase = field(default="timed", init=False)

    def measure(self, session: Session) -> Findings:
        """Peaks in bytes.

        "Above the idle process" means above its resident memory just before the model was loaded.
        """
        on_device = session.device.memory.peak_bytes()
        peak, calls = session.peak, len(session.warmup) + len(session.samples)
        if not peak.method:
            calls = 1
            release_memory()
            with peak_resident() as peak:
                session.transcribe(session.largest)
        rss = max(0, peak.bytes - session.idle_rss_bytes)
        weights = session.system.facts.weights_bytes
        used = rss if on_device is None else on_device
        metrics = [
            Metric("memory/peak_rss_bytes", rss, calls),
            Metric("memory/idle_rss_bytes", session.idle_rss_bytes, 1),
            Metric("memory/weights_bytes", weights),
            Metric("memory/activations_bytes", max(0, used - weights), calls),
        ]
        unavailable = dict(session.system.facts.unobservable)
        if on_device is None:
            unavailable["memory/peak_device_bytes"] = _NO_DEVICE
        else:
            metrics.append(Metric("memory/peak_device_bytes", on_device, calls))
        observed = tuple(metric for metric in metrics if metric.name not in unavailable)
        reasons = {name: why for name, why in unavailable.items() if name.startswith("memory/")}
        return Findings(observed, reasons, tags={"memory/method": peak.method})
