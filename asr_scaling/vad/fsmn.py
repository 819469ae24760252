"""FunASR's fsmn-vad: a network of 0.4 M parameters that remembers what it heard before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.model.funasr_layouts import FRAME_SAMPLES, FSMN_VAD
from asr_scaling.model.funasr_modules import FunAsrOptions, LoadedModule


@dataclass(frozen=True)
class Fsmn(FunAsrOptions):
    """Options of the detector.

    ``batch``: has no effect: FunASR gives it one recording at a time.
    """

    funasr_model = "fsmn-vad"
    layout = FSMN_VAD

    def load(self, torch_name: str) -> FsmnDetector:
        """Load it onto ``torch_name``. Raises WeightsError or DeviceError when it can't be."""
        return FsmnDetector(self.loaded(torch_name))


class FsmnDetector(LoadedModule):
    """The detector in memory."""

    def speech(self, audio: NDArray[np.float32]) -> Sequence[tuple[float, float]]:
        """Start and end, in seconds, of each stretch of speech."""
        if audio.size < FRAME_SAMPLES:
            return ()
        (answer,) = self._loaded.answers([np.array(audio)])  # FunASR's tensors are writable
        return _stretches(answer["value"], audio.size / SAMPLE_RATE_HZ)


def _stretches(found: Iterable[Sequence[int]], end_s: float) -> tuple[tuple[float, float], ...]:
    """``found``, in milliseconds, in seconds up to ``end_s``, none beginning before another ends.

    The detector widens what it finds, so that neighbours may overlap.
    """
    stretches: list[tuple[float, float]] = []
    before_s = 0.0
    for start, end in found:
        first_s, last_s = max(start / 1000, before_s), min(end / 1000, end_s)
        if last_s > first_s:
            stretches.append((first_s, last_s))
            before_s = last_s
    return tuple(stretches)
