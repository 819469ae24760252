"""Batches of utterances of like length: less padding, as an offline service would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.batch._fill import Full
from asr_scaling.core.workload import AudioBatch, Utterance


@dataclass(frozen=True)
class Bucketed(Full):
    """``size`` utterances a batch, sorted by length (ties by id)."""

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Full batches from the shortest utterances to the longest."""
        return super().batches(sorted(utterances, key=lambda u: (u.duration_s, u.id)))
