"""Silero's voice activity detector: a small recurrent network over frames of 32 ms."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.option_checks import imported, must_be
from asr_scaling.core.ports import SystemFacts
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.machine.module_place import ModulePlace, OnPlace
from asr_scaling.machine.threads import torch_threads_kept

_FRAME = 512
_JIT, _ONNX = "silero_vad.jit", "silero_vad_16k_sequence.onnx"
_PARAMETERS = 309_633
EXTRA = "cascade"


@dataclass(frozen=True)
class Silero:
    """Finds speech with the package silero-vad, which carries its weights (MIT).

    ``device``: where it computes; None for where recognition does. On a processor ONNX Runtime
    computes with one thread, as the package sets it; on a GPU torch does, frame by frame.
    ``threads``: of torch's operators on a GPU; None leaves it to torch.
    ``batch``: frames of 32 ms in a call of the network on a processor. The answer is the same for
    any number; 1 is what a plain loop does.
    ``threshold``: probability from which a frame is speech.
    ``min_speech_s``: shorter speech is dropped.
    ``min_silence_s``: a shorter pause ends no stretch of speech.
    ``pad_s``: added to both ends of a stretch.
    """

    device: str | None = None
    threads: int | None = None
    batch: int = 512
    threshold: float = 0.5
    min_speech_s: float = 0.25
    min_silence_s: float = 0.3
    pad_s: float = 0.1

    def __post_init__(self) -> None:
        fits = 0 < self.threshold < 1
        must_be("vad.threshold", self.threshold, fits, "more than 0 and less than 1")
        lengths = min(self.min_speech_s, self.min_silence_s, self.pad_s)
        must_be("vad's shortest length", lengths, lengths >= 0, "0 seconds or more")

    def check(self) -> None:
        """Import the package, and the one that computes. Raises MissingExtraError without one."""
        with torch_threads_kept():  # importing it leaves torch with one thread
            imported("silero_vad", EXTRA)
        if self.device in (None, "cpu"):
            imported("onnxruntime", EXTRA)

    def load(self, torch_name: str) -> SileroVad:
        """The network and its weights on the device ``torch_name``."""
        return SileroVad(self, torch_name)


class SileroVad(OnPlace):
    """The detector in memory."""

    def __init__(self, options: Silero, torch_name: str) -> None:
        options.check()
        super().__init__(ModulePlace(torch_name))
        self._options = options
        start_s = time.perf_counter()
        name = _JIT if self._place.accelerated else _ONNX
        path = files("silero_vad").joinpath("data", name)
        self._network: Any = self._loaded(str(path))
        self.facts = SystemFacts(
            weights="pretrained",
            weights_source=f"package silero-vad {metadata.version('silero-vad')}, {name}",
            weights_bytes=len(path.read_bytes()),
            parameters=_PARAMETERS,
            dtype="float32",
            load_s=time.perf_counter() - start_s,
        )

    def _loaded(self, path: str) -> Any:
        if self._place.accelerated:
            import torch

            load: Any = torch.jit.load  # which torch calls deprecated, and the package's file needs
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                return load(path, map_location=self._place.torch_name).eval()
        from silero_vad.sequence_vad import SileroVADSequence

        return SileroVADSequence(path, SAMPLE_RATE_HZ, max_frames=self._options.batch)

    def speech(self, audio: NDArray[np.float32]) -> Sequence[tuple[float, float]]:
        """Start and end, in seconds, of each stretch of speech in ``audio``, ``[samples]``."""
        from silero_vad.utils_vad import get_speech_timestamps_from_probs

        options = self._options
        found = get_speech_timestamps_from_probs(
            self._probabilities(audio).tolist(),
            sampling_rate=SAMPLE_RATE_HZ,
            threshold=options.threshold,
            min_speech_duration_ms=round(1000 * options.min_speech_s),
            min_silence_duration_ms=round(1000 * options.min_silence_s),
            speech_pad_ms=round(1000 * options.pad_s),
            audio_length_samples=audio.size,
        )
        return [(row["start"] / SAMPLE_RATE_HZ, row["end"] / SAMPLE_RATE_HZ) for row in found]

    def _probabilities(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """That each frame is speech, shape ``[frames]``."""
        if not self._place.accelerated:
            found: NDArray[np.float32] = self._network.audio_forward(audio)
            return found
        import torch

        padded = np.pad(audio, (0, -audio.size % _FRAME))
        with torch.inference_mode(), self._place.occupied():
            samples = self._place.put(padded)
            self._network.reset_states()
            frames = [self._network(frame[None], SAMPLE_RATE_HZ) for frame in samples.split(_FRAME)]
            return self._place.get(torch.cat(frames).flatten())

    def close(self) -> None:
        """Forget the network."""
        self._network = None
