"""The GE2E speaker encoder of Resemblyzer: three recurrent layers over 1.6 s of speech.

Wan et al. 2018, Generalized end-to-end loss for speaker verification. The package Resemblyzer
carries the weights. Its metadata asks for packages that can't be installed on a present Python, so
none of its code is run: the network is torch's, of the shape of its weights, and its features are
computed for many windows at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.clustering import cluster
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import SystemFacts
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.errors import WeightsError
from asr_scaling.machine.module_place import ModulePlace, OnPlace

_PACKAGE, _WEIGHTS = "Resemblyzer", "resemblyzer/pretrained.pt"
INSTALL = "pip install --no-deps Resemblyzer==0.1.4"
_FFT, _HOP = 400, 160
_MELS, _FRAMES = 40, 160
_HIDDEN, _LAYERS = 256, 3
_LOUDNESS_DB = -30.0
"""Quieter speech is made so loud, as it was for training."""


@dataclass(frozen=True)
class Resemblyzer:
    """Tells voices apart by embeddings of 256 values, clustered by their angles.

    ``device``: where it computes; None for where recognition does.
    ``threads``: of torch's operators; None for those of recognition.
    ``batch``: windows in a call of the network.
    ``hop_s``: seconds from the start of a window of 1.6 s to that of the next.
    ``threshold``: cosine distance up to which clusters are one speaker.
    """

    device: str | None = None
    threads: int | None = None
    batch: int = 32
    hop_s: float = 0.8
    threshold: float = 0.35

    def __post_init__(self) -> None:
        must_be("speaker.hop_s", self.hop_s, self.hop_s > 0, "more than 0 seconds")
        must_be("speaker.threshold", self.threshold, 0 < self.threshold < 2, "between 0 and 2")

    def check(self) -> None:
        """Raises WeightsError without the package that carries the weights."""
        import torch  # noqa: F401

        _carried()

    def load(self, torch_name: str) -> ResemblyzerEncoder:
        """The network on the device ``torch_name``. Raises WeightsError for damaged weights."""
        return ResemblyzerEncoder(self, torch_name)


def _carried() -> tuple[Path, str]:
    """The weights' file and its source. Raises WeightsError where it isn't installed."""
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise WeightsError(
            f"The weights of speaker=resemblyzer are not installed: run  {INSTALL}  and try again."
        ) from None
    return Path(str(package.locate_file(_WEIGHTS))), f"package {_PACKAGE} {package.version}"


class ResemblyzerEncoder(OnPlace):
    """The encoder in memory."""

    window_s = _FRAMES * _HOP / SAMPLE_RATE_HZ

    def __init__(self, options: Resemblyzer, torch_name: str) -> None:
        import torch
        from torch import nn
        from transformers.audio_utils import mel_filter_bank

        start_s, (path, source) = time.perf_counter(), _carried()
        super().__init__(ModulePlace(torch_name))
        self._options = options
        self.hop_s = options.hop_s
        network = nn.ModuleDict(
            {
                "lstm": nn.LSTM(_MELS, _HIDDEN, _LAYERS, batch_first=True),
                "linear": nn.Linear(_HIDDEN, _HIDDEN),
            }
        )
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            own = {key: value for key, value in state.items() if key in network.state_dict()}
            network.load_state_dict(own)
        except (OSError, RuntimeError, KeyError, TypeError) as error:
            raise WeightsError(
                f"The weights in {source} can't be read ({type(error).__name__}: {error}): install "
                f"them again ({INSTALL})."
            ) from error
        self._network: Any = network.eval().to(torch_name)
        self._window: Any = torch.hann_window(_FFT, device=torch_name)
        filters = mel_filter_bank(
            _FFT // 2 + 1, _MELS, 0.0, SAMPLE_RATE_HZ / 2, SAMPLE_RATE_HZ, "slaney", "slaney"
        )
        self._filters: Any = torch.from_numpy(filters.astype(np.float32)).to(torch_name)
        parameters = sum(value.numel() for value in network.parameters())
        self.facts = SystemFacts(
            weights="pretrained",
            weights_source=source,
            weights_bytes=4 * parameters,
            parameters=parameters,
            dtype="float32",
            load_s=time.perf_counter() - start_s,
        )

    def embeddings(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """A vector of 256 values and length 1 for each window, shape ``[windows, 256]``."""
        import torch

        samples = np.stack([_loud(_filled(window)) for window in windows])
        with torch.inference_mode(), self._place.occupied():
            audio = self._place.put(samples)
            found = torch.stft(
                audio,
                _FFT,
                _HOP,
                window=self._window,
                center=True,
                pad_mode="constant",
                return_complex=True,
            )
            power = found.abs().square().transpose(1, 2)[:, :_FRAMES]
            _, (hidden, _) = self._network["lstm"](power @ self._filters)
            raw = torch.relu(self._network["linear"](hidden[-1]))
            return self._place.get(torch.nn.functional.normalize(raw, dim=1))

    def speakers(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """The number of the speaker of each embedding, from 0, shape ``[windows]``."""
        return cluster(embeddings, self._options.threshold)

    def close(self) -> None:
        """Forget the network."""
        self._network = None


def _filled(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """The window, said again and again where it is shorter than 1.6 s."""
    return np.resize(window, _FRAMES * _HOP)


def _loud(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """The window, at least as loud as the encoder was trained on; silence stays as it is."""
    power = float(np.mean(np.square(window, dtype=np.float64)))
    if power <= 0:
        return window
    gain_db = _LOUDNESS_DB - 10 * np.log10(power)
    return window * np.float32(10 ** (max(0.0, gain_db) / 20))
