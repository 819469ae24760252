"""Greedy CTC: from the best token of each frame to the tokens of the text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def collapsed(
    frames: Sequence[Sequence[int]], lengths: Sequence[int], blank: int
) -> list[list[int]]:
    """Tokens of each row of ``frames``, of which the first ``lengths`` count.

    Repeats are collapsed before blanks are dropped, so double letters survive (Graves et al. 2006).
    """
    rows = (row[:length] for row, length in zip(frames, lengths, strict=True))
    return [[token for token, _ in groupby(row) if token != blank] for row in rows]


def frames_of(samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Frames that convolutions without padding make of ``samples``."""
    for kernel, stride in zip(kernels, strides, strict=True):
        samples = (samples - kernel) // stride + 1
    return max(0, samples)
