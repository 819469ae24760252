"""What every decoder checks of a file, and what is checked of every block of samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.workload import Utterance
from asr_scaling.dataset._containers import UnusableError
from asr_scaling.util.mapped import in_blocks

MAX_S = 4 * 3600
"""Seconds of the longest utterance that any option allows."""
MAX_CHANNELS = 8
RATES_HZ = (4_000, 384_000)
MAX_PEAK = 10.0
"""Full scale is 1; samples beyond this are integers stored as floats without being scaled."""
_SILENT_PEAK = 1e-3
"""-60 dB of full scale: 33 steps of 16 bits, below the noise of a room."""
_WINDOW_S, _HEARD_POWER = 0.5, 1e-6
_LOST = 0.25
"""Channels that have nothing to do with each other keep 1/channels of their power in the mean. A
quarter of that is less than any placing of microphones gives: one channel is upside down."""
_LOST_SHARE = 0.1

Block = tuple[NDArray[np.float32], int]
"""Samples ``[frames, channels]`` and their rate in Hz."""


def check_format(channels: int, rate_hz: int) -> None:
    """Raises UnusableError for too many channels and for rates that no speech has."""
    if channels > MAX_CHANNELS:
        many = f"has {channels} channels, more than {MAX_CHANNELS}"
        raise UnusableError(many, "mix it down to mono")
    low, high = RATES_HZ
    if not low <= rate_hz <= high:
        rate = f"has a rate of {rate_hz} Hz, outside {low}–{high} Hz"
        raise UnusableError(rate, "export it again at 16 kHz")


def check_length(seconds: float, max_s: float) -> None:
    """Raises UnusableError for more ``seconds`` than are allowed."""
    if seconds > max_s:
        more = ", or raise dataset.max_utterance_s" if max_s < MAX_S else ""
        raise UnusableError(f"is longer than {max_s:g} s", f"split it into utterances{more}")


def doubts_of(utterance: Utterance) -> tuple[str, ...]:
    """Kinds of cautions that an utterance gives reason for, silence among them."""
    peaks = [(float(block.max()), float(block.min())) for block in in_blocks(utterance.audio)]
    silent = max(high for high, _ in peaks) - min(low for _, low in peaks) < 2 * _SILENT_PEAK
    return tuple(dict.fromkeys((*utterance.doubts, *(("SilentAudio",) if silent else ()))))


class Mix:
    """Channels become their mean; how much of them cancels there is counted.

    heard_s: seconds in which a channel holds sound.
    lost_s: seconds of these in which the channels cancel.
    """

    def __init__(self) -> None:
        self.heard_s = self.lost_s = 0.0

    @property
    def cancels(self) -> bool:
        """Whether the channels cancel in a tenth of what is heard, or in more."""
        return self.lost_s > _LOST_SHARE * self.heard_s

    def mono(self, block: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """The mean ``[frames]`` of a block's channels.

        Raises UnusableError for samples that are not finite or far above full scale.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            one = block.shape[1] == 1
            mixed = block[:, 0].copy() if one else block.mean(axis=1, dtype=np.float32)
        if not (np.isfinite(block).all() and np.isfinite(mixed).all()):
            raise UnusableError("holds NaN or infinite samples", "export it again")
        if (peak := float(np.abs(block).max())) > MAX_PEAK:
            raise UnusableError(
                f"has samples up to {peak:.3g}", "scale it so that full scale is 1.0"
            )
        if not one:
            self._count(block, mixed, rate_hz)
        return mixed

    def _count(self, block: NDArray[np.float32], mixed: NDArray[np.float32], rate_hz: int) -> None:
        size = round(_WINDOW_S * rate_hz)
        for start in range(0, len(mixed), size):
            window = block[start : start + size]
            power = float(window.var(axis=0).mean())
            if power < _HEARD_POWER:
                continue
            seconds = len(window) / rate_hz
            self.heard_s += seconds
            kept = float(mixed[start : start + size].var()) * window.shape[1] / power
            self.lost_s += seconds if kept < _LOST else 0.0
