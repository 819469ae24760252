"""First come, first served, one request a call, in the process that measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.ports import Engine, Served, Service
from asr_scaling.core.workload import Utterance


@dataclass(frozen=True)
class Direct:
    """First come, first served, one request a call."""

    def answering(self, engine: Engine) -> Engine:
        """The same."""
        return engine

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """To be written."""
        raise NotImplementedError
