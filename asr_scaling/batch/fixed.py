"""Batches in the dataset's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.batch._fill import check_size, full_batches
from asr_scaling.workload import AudioBatch, Utterance


@dataclass(frozen=True)
class Fixed:
    """``size`` utterances a batch, as they come: padding is what traffic would give."""

    size: int = 1

    def __post_init__(self) -> None:
        check_size(self.size)

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Full batches in the dataset's order."""
        return full_batches(utterances, self.size)
