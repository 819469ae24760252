"""WebRTC's voice activity detector: Gaussian mixtures over frames of 10 to 30 ms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.option_checks import imported, must_be
from asr_scaling.core.ports import SystemFacts
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.errors import DeviceError
from asr_scaling.vad._frames import stretches

EXTRA = "cascade"


@dataclass(frozen=True)
class WebRtc:
    """Finds speech with the package webrtcvad-wheels (MIT; WebRTC's own code is BSD).

    ``device``: it computes on the processor only.
    ``threads``: it has one.
    ``batch``: it takes frames one by one.
    ``aggressiveness``: 0 to 3; 3 calls least of the audio speech.
    ``frame_ms``: 10, 20 or 30.
    ``min_speech_s``, ``min_silence_s``, ``pad_s``: as of vad=silero.
    """

    device: str | None = "cpu"
    threads: int | None = 1
    batch: int = 1
    aggressiveness: int = 2
    frame_ms: int = 30
    min_speech_s: float = 0.25
    min_silence_s: float = 0.3
    pad_s: float = 0.1

    def __post_init__(self) -> None:
        level, frame = self.aggressiveness, self.frame_ms
        must_be("vad.aggressiveness", level, level in range(4), "0, 1, 2 or 3")
        must_be("vad.frame_ms", frame, frame in (10, 20, 30), "10, 20 or 30")
        must_be("vad.batch", self.batch, self.batch == 1, "1: it takes frames one by one")

    def check(self) -> None:
        """Import the package. Raises MissingExtraError without it."""
        imported("webrtcvad", EXTRA)

    def load(self, torch_name: str) -> WebRtcVad:
        """Raises DeviceError for a device that isn't the processor."""
        if torch_name != "cpu":
            raise DeviceError(f"vad=webrtc computes on the processor only, not on {torch_name}.")
        return WebRtcVad(self)


class WebRtcVad:
    """The detector in memory."""

    device_s, moved_bytes = 0.0, 0

    def __init__(self, options: WebRtc) -> None:
        import webrtcvad

        self._options, self._vad = options, webrtcvad.Vad(options.aggressiveness)
        self.facts = SystemFacts(
            weights="pretrained",
            weights_source=f"package webrtcvad-wheels {metadata.version('webrtcvad-wheels')}",
            weights_bytes=0,
            parameters=0,
            dtype="int16",
        )

    def speech(self, audio: NDArray[np.float32]) -> Sequence[tuple[float, float]]:
        """Start and end, in seconds, of each stretch of speech in ``audio``, ``[samples]``."""
        options, vad = self._options, self._vad
        size = SAMPLE_RATE_HZ * options.frame_ms // 1000
        samples = np.pad(audio, (0, -audio.size % size))
        data = (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        frames: list[Any] = [
            vad.is_speech(data[at : at + 2 * size], SAMPLE_RATE_HZ)
            for at in range(0, len(data), 2 * size)
        ]
        found = stretches(
            frames,
            options.frame_ms / 1000,
            min_speech_s=options.min_speech_s,
            min_silence_s=options.min_silence_s,
            pad_s=options.pad_s,
        )
        end_s = audio.size / SAMPLE_RATE_HZ
        return [(start_s, min(stop_s, end_s)) for start_s, stop_s in found if start_s < end_s]

    def close(self) -> None:
        """Nothing to give back."""
