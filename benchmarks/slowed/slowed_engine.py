"""An engine that is slower by a known share, for benchmarks that must notice it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Device, Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers import Transformers, TransformersSystem


class SlowedSystem:
    """A loaded system whose every call waits ``by`` of its own time before it returns."""

    def __init__(self, system: TransformersSystem, by: float) -> None:
        self._system, self._by = system, by

    @property
    def facts(self) -> SystemFacts:
        """Those of the system."""
        return self._system.facts

    @property
    def modules(self) -> Mapping[str, Any]:
        """Those of the system."""
        return self._system.modules

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """The system's texts, later."""
        start = time.perf_counter()
        result = self._system.transcribe(batch, probe)
        now = time.perf_counter()
        end = now + self._by * (now - start)
        while time.perf_counter() < end:  # a processor that sleeps would be another machine state
            pass
        return result

    def close(self) -> None:
        """Closes the system."""
        self._system.close()


@dataclass(frozen=True)
class Slowed(Transformers):
    """``engine=transformers`` whose calls take ``by`` longer: 0.1 is 10 %."""

    by: float = 0.1

    def load(self, model: ModelSpec, device: Device) -> SlowedSystem:  # type: ignore[override]
        """Loads as transformers does."""
        return SlowedSystem(super().load(model, device), self.by)
