"""What every batching does alike: full batches only, so each timed call has the stated size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import ConfigError


def check_size(size: object) -> None:
    """Raises ConfigError unless ``size`` is a positive integer."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigError(f"batch.size must be a positive integer, as in batch=8; got {size!r}.")


@dataclass(frozen=True)
class Full:
    """``size`` utterances a batch, as they come."""

    size: int = 1

    def __post_init__(self) -> None:
        check_size(self.size)

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Full batches in the dataset's order."""
        return full_batches(utterances, self.size)


def full_batches(utterances: Sequence[Utterance], size: int) -> list[AudioBatch]:
    """Batches of exactly ``size``, in order; the last is filled up from the beginning."""
    count = -(-len(utterances) // size)
    filled = [utterances[i % len(utterances)] for i in range(count * size)]
    return [AudioBatch(tuple(filled[i : i + size])) for i in range(0, len(filled), size)]
