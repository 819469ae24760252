"""Whisper's windows in engines outside torch, which differ in who decodes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.log_mel import LogMel
from asr_scaling.engine._shared.short_window import windowed
from asr_scaling.engine._shared.whisper import asked, told, window_of

if TYPE_CHECKING:
    Decode = Callable[
        [NDArray[np.float32], Probe, int | None, list[int] | None, list[str | None]],
        tuple[list[list[int]], int],
    ]
    """``(features [batch, mels, frames], probe, most tokens, planned tokens, languages)``
    → ``(rows, steps)``.

    A row has the tokens up to the end of text. With random weights the number of tokens of a row is
    planned, and a row has as many, whatever the model says. A language that is None is replaced by
    the one that the model recognises, where it has a choice."""

Text = Callable[[Sequence[Sequence[int]]], tuple[str, ...]]


class Windows:
    """Features of each window, and utterances put together again.

    ``extractor``: the feature extractor of transformers.
    ``device``: torch's name of where features are computed in its place (log_mel.py); None for the
    extractor's own way.
    ``margin_s``: ``window_margin_s`` of the engines' options.
    """

    def __init__(
        self,
        spec: ModelSpec,
        extractor: Any,
        random: bool,
        margin_s: float | None,
        device: str | None,
    ) -> None:
        import torch

        self._spec = spec
        self._extractor = extractor
        self._random = random
        self._margin_s = margin_s
        self._log_mel = LogMel(extractor, torch.device(device), torch.float32) if device else None

    def transcribe(
        self, batch: AudioBatch, probe: Probe, decode: Decode, text: Text
    ) -> Transcription:
        """Decodes the first window of each utterance, with random weights the later ones too.

        Audio of real weights beyond the first window is for the caller to handle.
        """
        whole_s = window_of(self._spec)

        def attempt(part: AudioBatch, window_s: float | None, most: int | None) -> Transcription:
            languages = asked(self._spec, part)
            rows, steps = self._rows(
                part, probe, window_s or whole_s, most, decode, languages=languages
            )
            probe.stage("text")
            tokens, spoken = tuple(map(len, rows)), told(self._spec, languages)
            return Transcription(text(rows), tokens, part.durations_s, steps, languages=spoken)

        return windowed(batch, self._margin_s, whole_s, attempt, guarded=not self._random)

    def _rows(
        self,
        batch: AudioBatch,
        probe: Probe,
        window_s: float,
        most: int | None,
        decode: Decode,
        *,
        languages: list[str | None],
    ) -> tuple[list[list[int]], int]:
        """Tokens of each utterance, window after window, and the number of steps.

        ``languages``: as for ``decode``; what the first window shows holds for the others.
        """
        rows = [list[int]() for _ in batch.utterances]
        steps = 0
        size = round(window_s * SAMPLE_RATE_HZ)
        for start in range(0, max(utterance.audio.size for utterance in batch.utterances), size):
            parts = {
                i: utterance.audio[start : start + size]
                for i, utterance in enumerate(batch.utterances)
                if utterance.audio.size > start
            }
            audio = list(parts.values())
            planned = None
            if self._random:
                planned = [self._spec.planned_tokens(part.size / SAMPLE_RATE_HZ) for part in audio]
            spoken = [languages[i] for i in parts]
            features = self._features(audio, size, probe)
            tokens, count = decode(features, probe, most, planned, spoken)
            steps += count
            for i, row, language in zip(parts, tokens, spoken, strict=True):
                rows[i] += row
                languages[i] = language
        return rows, steps

    def _features(
        self, audio: list[NDArray[np.float32]], size: int, probe: Probe
    ) -> NDArray[np.float32]:
        if self._log_mel:
            return self._log_mel.of(audio, size, probe).cpu().numpy()
        probe.stage("features")
        extracted = self._extractor(
            audio, sampling_rate=SAMPLE_RATE_HZ, max_length=size, return_tensors="np"
        )
        return extracted["input_features"]  # type: ignore[no-any-return]
