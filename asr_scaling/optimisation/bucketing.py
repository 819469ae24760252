"""Batches of utterances of like length, so that less padding is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr_scaling.batch.bucketed import Bucketed
from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.workload import AudioBatch


@dataclass(frozen=True)
class Bucketing:
    """What ``batch=bucketed`` does, as an optimisation that composes."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For batches of a fixed size above 1."""
        batch = system.batch
        if not isinstance(batch, Fixed):
            system.refuse("sorts the batches of batch=fixed: leave the other batching out")
        if batch.size == 1:
            system.refuse("sorts batches, and batch=1 has nothing to sort: raise batch")
        return replace(system, batch=Bucketed(batch.size))

    def idle_on(self, system: SystemSpec, batches: Sequence[AudioBatch]) -> str | None:
        """It does nothing where there is nothing to sort by, or one batch for all."""
        if len({seconds for batch in batches for seconds in batch.durations_s}) == 1:
            return "all utterances are equally long"
        return "all utterances are in one batch" if len(batches) == 1 else None
