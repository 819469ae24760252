"""Batches in the dataset's order."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.batch._fill import Full


@dataclass(frozen=True)
class Fixed(Full):
    """``size`` utterances a batch, as they come: padding is what traffic would give."""
