"""FunASR's cam++: a vector of 192 values for the voice in each second and a half of speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.clustering import cluster
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.model.funasr_layouts import CAMPPLUS
from asr_scaling.model.funasr_modules import FunAsrOptions, Loaded, LoadedModule

WINDOW_S, HOP_S = 1.5, 0.75
"""As FunASR cuts speech for it (sv_chunk of its campplus)."""


@dataclass(frozen=True)
class CamPlusPlus(FunAsrOptions):
    """Options of the speaker model.

    ``threshold``: cosine distance up to which two groups of vectors are one voice, from 0 to 2.
    """

    funasr_model = "cam++"
    layout = CAMPPLUS
    threshold: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = 0 <= self.threshold <= 2
        must_be("threshold of campplus", self.threshold, fits, "from 0 to 2")

    def load(self, torch_name: str) -> CamPlusPlusVoices:
        """Load it onto ``torch_name``. Raises WeightsError or DeviceError when it can't be."""
        return CamPlusPlusVoices(self.loaded(torch_name), self.batch, self.threshold)


class CamPlusPlusVoices(LoadedModule):
    """The speaker model in memory."""

    window_s = WINDOW_S
    hop_s = HOP_S

    def __init__(self, loaded: Loaded, batch: int, threshold: float) -> None:
        super().__init__(loaded)
        self._batch, self._threshold = batch, threshold

    def embeddings(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """One vector of length 1 for each window, shape ``[windows, 192]``.

        A window that is too short is filled with silence, as FunASR does.
        """
        size = round(WINDOW_S * SAMPLE_RATE_HZ)
        if not len(windows):
            values = CAMPPLUS.config["model_conf"]["embedding_size"]
            return np.zeros((0, values), np.float32)
        whole = [np.pad(window, (0, max(0, size - window.size))) for window in windows]
        found = self._loaded.answers(whole, batch_size=self._batch)
        rows = np.concatenate([part["spk_embedding"].cpu().numpy() for part in found])
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)

    def speakers(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """The number of the speaker of each embedding, from 0, shape ``[windows]``."""
        return cluster(embeddings, self._threshold)
