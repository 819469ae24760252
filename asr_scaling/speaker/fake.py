"""Voices told apart by pitch, at a known cost: for tests with exact arithmetic and for dry runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.clustering import cluster
from asr_scaling.core.option_checks import must_be
from asr_scaling.machine.spend import FakeModule

_SAMPLES, _VALUES = 4096, 64


@dataclass(frozen=True)
class FakeSpeaker:
    """An embedding is the spectrum of the first quarter of a second: enough for tones.

    ``device``: "cpu" costs a core's time, anything else only time; None for where recognition runs.
    ``threads``: has no effect.
    ``accelerated``: how many times as fast it is elsewhere than on the processor.
    ``batch``: windows in a call.
    ``per_call_s``, ``per_window_s``: seconds of a call, and for each window.
    ``window_s``, ``hop_s``: seconds of a window, and from the start of one to that of the next.
    ``threshold``: cosine distance up to which clusters are one speaker.
    """

    device: str | None = None
    threads: int | None = None
    batch: int = 32
    per_call_s: float = 0.0
    per_window_s: float = 0.001
    accelerated: float = 1.0
    window_s: float = 1.6
    hop_s: float = 0.8
    threshold: float = 0.5

    def __post_init__(self) -> None:
        cheapest = min(self.per_call_s, self.per_window_s)
        must_be("speaker.per_call_s and .per_window_s", cheapest, cheapest >= 0, "0 or more")
        must_be("speaker.accelerated", self.accelerated, self.accelerated > 0, "more than 0")
        shortest = min(self.window_s, self.hop_s)
        must_be("speaker.window_s and speaker.hop_s", shortest, shortest > 0, "more than 0")

    def check(self) -> None:
        """Needs nothing."""

    def load(self, torch_name: str) -> LoadedFakeSpeaker:
        """Nothing to load."""
        return LoadedFakeSpeaker(self, torch_name)


class LoadedFakeSpeaker(FakeModule):
    """The module on a device."""

    def __init__(self, options: FakeSpeaker, torch_name: str) -> None:
        super().__init__("speaker=fake", torch_name, options.accelerated)
        self._options = options
        self.window_s, self.hop_s = options.window_s, options.hop_s

    def embeddings(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The spectrum of each window, of length 1, shape ``[windows, 64]``."""
        cost_s = self._options.per_call_s + self._options.per_window_s * len(windows)
        self.take(cost_s)
        samples = np.stack([np.resize(window, _SAMPLES) for window in windows])
        power = np.abs(np.fft.rfft(samples)[:, 1:]) ** 2
        bands = power.reshape(len(windows), _VALUES, -1).sum(axis=2)
        found: NDArray[np.float32] = bands.astype(np.float32)
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return found

    def speakers(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """The number of the speaker of each embedding, from 0, shape ``[windows]``."""
        return cluster(embeddings, self._options.threshold)
