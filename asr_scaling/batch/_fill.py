"""What every batching does alike: full batches only, so each timed call has the stated size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import ConfigError


@dataclass(frozen=True)
class Full:
    """``size`` utterances a batch, as they come."""

    size: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise ConfigError(
                f"batch.size must be a positive integer, as in batch=8; got {self.size!r}."
            )

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Batches of exactly ``size``, in order; the last is filled up from the beginning."""
        count = -(-len(utterances) // self.size) * self.size
        filled = [utterances[i % len(utterances)] for i in range(count)]
        return [AudioBatch(tuple(filled[i : i + self.size])) for i in range(0, count, self.size)]
