"""Whisper's features computed where the model is, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.option_checks import one_of
from asr_scaling.core.ports import Device, Probe
from asr_scaling.machine.threads import tell_torch

if TYPE_CHECKING:
    import torch

FEATURES = ("library", "device")


def check_features(features: str) -> None:
    """Raises ConfigError when ``features`` is none of ``FEATURES``."""
    one_of("engine.features", features, FEATURES)


def place_of(features: str, device: Device) -> str | None:
    """torch's name of the device that computes the features; None for the library's extractor."""
    return device.torch_name if features == "device" else None


class LogMel:
    """Log-mel spectrograms as transformers' WhisperFeatureExtractor makes them.

    The formula is that of openai/whisper, audio.py. The library's extractor has an option
    ``device`` too, but it copies its result back to the host.
    """

    def __init__(self, extractor: Any, device: torch.device, dtype: torch.dtype) -> None:
        import torch

        tell_torch()
        self._device, self._dtype = device, dtype
        self._points, self._hop = extractor.n_fft, extractor.hop_length
        self._window = torch.hann_window(self._points, device=device)
        self._filters = (
            torch.from_numpy(extractor.mel_filters.T).to(device, torch.float32).contiguous()
        )

    def of(self, audio: Sequence[NDArray[np.float32]], samples: int, probe: Probe) -> torch.Tensor:
        """Features ``[utterances, bands, frames]`` of ``samples`` each, padded with silence.

        The stage "transfer" is the copy of the samples to the device.
        """
        import torch

        probe.stage("transfer")
        padded = torch.zeros(len(audio), samples, pin_memory=self._device.type == "cuda")
        for row, heard in zip(padded.numpy(), audio, strict=True):
            row[: heard.size] = heard[:samples]
        padded = padded.to(self._device, non_blocking=True)
        probe.stage("features")
        spectrum = torch.stft(
            padded, self._points, self._hop, window=self._window, return_complex=True
        )[..., :-1]
        power = torch.view_as_real(spectrum).square().sum(-1)
        logs = (self._filters @ power).clamp_(min=1e-10).log10_()
        loudest = logs.amax((1, 2), keepdim=True)
        return torch.maximum(logs, loudest - 8.0).add_(4.0).div_(4.0).to(self._dtype)
