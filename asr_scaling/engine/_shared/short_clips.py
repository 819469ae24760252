"""Clips too short for a network are padded with silence, as the authors of the models do.

A clip of a few milliseconds (a click, a word cut too tight) gives less than one frame: convolutions
without padding fail, and features that are normalised over time divide by zero. wav2vec 2.0 needs
400 samples, Moonshine 895, Parakeet two frames of features, whisper.cpp a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOONSHINE = ((127, 7, 3), (64, 3, 2))
"""Kernels and strides of Moonshine's convolutions over samples, which its configuration lacks."""
_FRAMES = 2
"""Frames whose variance over time is defined."""


def least_samples(config: Any, features: Any) -> int:
    """How many samples a network needs to give a frame that means something.

    ``config``: its transformers configuration.
    ``features``: its feature extractor.
    """
    kernels, strides = getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ())
    if getattr(config, "model_type", "") == "moonshine":
        kernels, strides = _MOONSHINE
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return max(samples, _FRAMES * int(getattr(features, "hop_length", 0)))


def padded(rows: Sequence[NDArray[np.float32]], least: int) -> list[NDArray[np.float32]]:
    """``rows`` of samples, with silence after those that have fewer than ``least``."""
    return [np.pad(row, (0, least - row.size)) if row.size < least else row for row in rows]
