"""Whisper's windows in engines outside torch, which differ in who decodes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.decoding_steps import Decoded, Plan, Step
from asr_scaling.engine._shared.log_mel import LogMel
from asr_scaling.engine._shared.whisper import asked, told, window_of

if TYPE_CHECKING:
    Decode = Callable[
        [NDArray[np.float32], Probe, Step, list[int] | None, list[str | None]], "Rows"
    ]
    """``(features [batch, mels, frames], probe, step, planned tokens, languages) → rows``.

    A row has the tokens up to the end of text. With random weights the number of tokens of a row is
    planned, and a row has as many, whatever the model says. A language that is None is replaced by
    the one that the model recognises, where it has a choice."""

Text = Callable[[Sequence[Sequence[int]]], tuple[str, ...]]


@dataclass(frozen=True)
class Rows:
    """What was decoded of a window.

    ``tokens``: of each utterance.
    ``steps``: passes of the decoder.
    ``means``, ``no_speech``: as in ``Hypothesis`` and ``Decoded`` (decoding_steps.py).
    """

    tokens: list[list[int]]
    steps: int
    means: Sequence[float] | None = None
    no_speech: Callable[[int], float] | None = None


class Windows:
    """Features of each window, and utterances put together again.

    ``extractor``: the feature extractor of transformers.
    ``device``: torch's name of where features are computed in its place (log_mel.py); None for the
    extractor's own way.
    ``plan``: how utterances are decoded, and decoded again.
    """

    def __init__(
        self,
        spec: ModelSpec,
        extractor: Any,
        plan: Plan,
        device: str | None,
    ) -> None:
        import torch

        self._spec = spec
        self._extractor = extractor
        self._plan, self._random = plan, not plan.guarded
        self._log_mel = LogMel(extractor, torch.device(device), torch.float32) if device else None

    def transcribe(
        self, batch: AudioBatch, probe: Probe, decode: Decode, text: Text
    ) -> Transcription:
        """Decodes the first window of each utterance, with random weights the later ones too.

        Audio of real weights beyond the first window is for the caller to handle.
        """

        def attempt(part: AudioBatch, step: Step) -> Decoded:
            languages = asked(self._spec, part)
            rows = self._rows(part, probe, step, decode, languages)
            probe.stage("text")
            return Decoded.of(
                text(rows.tokens),
                list(map(len, rows.tokens)),
                rows.steps,
                rows.means,
                languages=told(self._spec, languages),
                no_speech=rows.no_speech,
            )

        return self._plan.transcribe(batch, attempt)

    def _rows(
        self,
        batch: AudioBatch,
        probe: Probe,
        step: Step,
        decode: Decode,
        languages: list[str | None],
    ) -> Rows:
        """Tokens of each utterance, window after window, and the number of steps.

        ``languages``: as for ``decode``; what the first window shows holds for the others.
        """
        rows = [list[int]() for _ in batch.utterances]
        steps, size = 0, round((step.window_s or window_of(self._spec)) * SAMPLE_RATE_HZ)
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
            found = decode(features, probe, step, planned, spoken)
            steps += found.steps
            for i, row, language in zip(parts, found.tokens, spoken, strict=True):
                rows[i] += row
                languages[i] = language
        return replace(found, tokens=rows, steps=steps)

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
