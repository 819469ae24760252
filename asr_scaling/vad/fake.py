"""A detector whose cost is known: for tests with exact arithmetic and for dry runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.machine.spend import FakeModule
from asr_scaling.vad._frames import stretches

_FRAME_S = 0.02


@dataclass(frozen=True)
class FakeVad:
    """Calls loud frames speech, and takes the time that it was told to.

    ``device``: "cpu" costs a core's time, anything else only time; None for where recognition runs.
    ``threads``: has no effect.
    ``accelerated``: how many times as fast it is elsewhere than on the processor.
    ``batch``: frames of 20 ms in a call.
    ``per_call_s``: seconds of a call.
    ``per_audio_s``: seconds for each second of audio.
    ``loud``: root mean square from which a frame is speech.
    ``min_silence_s``: a shorter pause ends no stretch of speech.
    """

    device: str | None = None
    threads: int | None = None
    batch: int = 512
    per_call_s: float = 0.0
    per_audio_s: float = 0.001
    accelerated: float = 1.0
    loud: float = 0.01
    min_silence_s: float = 0.3

    def __post_init__(self) -> None:
        cheapest = min(self.per_call_s, self.per_audio_s)
        must_be("vad.per_call_s and vad.per_audio_s", cheapest, cheapest >= 0, "0 or more")
        must_be("vad.accelerated", self.accelerated, self.accelerated > 0, "more than 0")

    def check(self) -> None:
        """Needs nothing."""

    def load(self, torch_name: str) -> LoadedFakeVad:
        """Nothing to load."""
        return LoadedFakeVad(self, torch_name)


class LoadedFakeVad(FakeModule):
    """The detector on a device."""

    def __init__(self, options: FakeVad, torch_name: str) -> None:
        super().__init__("vad=fake", torch_name, options.accelerated)
        self._options = options

    def speech(self, audio: NDArray[np.float32]) -> Sequence[tuple[float, float]]:
        """Start and end, in seconds, of each loud stretch of ``audio``, ``[samples]``."""
        options, size = self._options, round(_FRAME_S * SAMPLE_RATE_HZ)
        frames = np.pad(audio, (0, -audio.size % size)).reshape(-1, size)
        cost_s = options.per_call_s * math.ceil(len(frames) / options.batch)
        cost_s += options.per_audio_s * audio.size / SAMPLE_RATE_HZ
        self.take(cost_s)
        loud = np.sqrt(np.mean(np.square(frames), axis=1)) > options.loud
        end_s = audio.size / SAMPLE_RATE_HZ
        found = stretches(
            loud.tolist(),
            _FRAME_S,
            min_speech_s=0.0,
            min_silence_s=options.min_silence_s,
            pad_s=0.0,
        )
        return [(start_s, min(stop_s, end_s)) for start_s, stop_s in found]
