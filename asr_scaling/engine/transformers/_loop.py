"""Whisper up to its window by this package's own loop over features, encoder and decoder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.log_mel import LogMel
from asr_scaling.engine._shared.short_window import most_tokens, windowed
from asr_scaling.engine._shared.whisper import asked, told, window_of
from asr_scaling.engine.transformers._greedy_decoding import Greedy, Rules
from asr_scaling.engine.transformers._loaded_model import Loaded, Steps
from asr_scaling.engine.transformers._static_shape_decoding import FixedGreedy, cuda_graph
from asr_scaling.model.whisper import Prompts

if TYPE_CHECKING:
    import torch

_GROUPS = 4
"""Groups of a batch with ``overlap``: one is encoded while features of the next are computed."""


class Loop:
    """Greedy decoding of one window of each utterance."""

    def __init__(self, loaded: Loaded, steps: Steps, prompts: Prompts) -> None:
        self._loaded, self._steps = loaded, steps
        self._encoder = loaded.model.get_encoder()
        self.greedy = _greedy(loaded, prompts)
        on_device = loaded.options.features == "device"
        self._log_mel = LogMel(loaded.features, loaded.device, loaded.dtype) if on_device else None
        self._whole_s = window_of(loaded.spec)

    def transcribe(self, batch: AudioBatch) -> Transcription:
        """From samples to texts; of an utterance that is longer than the window its beginning."""
        margin_s, guarded = self._loaded.options.window_margin_s, not self._loaded.random
        return windowed(batch, margin_s, self._whole_s, self._attempt, guarded)

    def _attempt(
        self, batch: AudioBatch, window_s: float | None, most: int | None
    ) -> Transcription:
        """One pass over ``batch`` with a window of ``window_s`` seconds, None for the whole one."""
        loaded, before = self._loaded, self._steps.count
        seconds = tuple(min(s, self._whole_s) for s in batch.durations_s)
        samples = round((window_s or self._whole_s) * SAMPLE_RATE_HZ)
        encoded = self._encoded(batch, samples)
        limits = [self._limit(s, most) for s in seconds]
        languages, ends = asked(loaded.spec, batch), not loaded.random
        rows = self.greedy.decode(encoded, limits, self._steps.step, ends, languages)
        self._steps.probe.stage("text")
        kept = self._kept(rows)
        texts, tokens = loaded.text(kept), tuple(map(len, kept))
        steps, spoken = self._steps.count - before, told(loaded.spec, languages)
        return Transcription(texts, tokens, seconds, steps, languages=spoken)

    def _encoded(self, batch: AudioBatch, samples: int) -> torch.Tensor:
        """Hidden states (utterances, frames, width) of ``samples`` each, in one go or in groups."""
        import torch

        size = math.ceil(len(batch) / (_GROUPS if self._loaded.options.overlap else 1))
        groups = [AudioBatch(batch.utterances[i : i + size]) for i in range(0, len(batch), size)]
        encoded = [self._encoder(self._features(group, samples))[0] for group in groups]
        return encoded[0] if len(groups) == 1 else torch.cat(encoded)

    def _features(self, batch: AudioBatch, samples: int) -> Any:
        if self._log_mel:
            return self._log_mel.of([u.audio for u in batch.utterances], samples, self._steps.probe)
        return self._loaded.inputs(batch, self._steps.probe, max_length=samples)["input_features"]

    def _limit(self, seconds: float, most: int | None) -> int:
        """Most tokens of an utterance; for random weights the planned ones and the end of text."""
        if self._loaded.random:
            return self._loaded.spec.planned_tokens(seconds) + 1
        return self.greedy.most if most is None else most_tokens(seconds)

    def _kept(self, rows: list[list[int]]) -> list[list[int]]:
        """The tokens that carry the text; specials and timestamps lie above the end of text."""
        if self._loaded.random:
            return [row[:-1] for row in rows]
        return [[token for token in row if token < self.greedy.rules.end] for row in rows]


def _greedy(loaded: Loaded, prompts: Prompts) -> Greedy:
    """Static shapes when steps are compiled or captured, else utterances leave when they end."""
    rules = Rules.of(loaded.model, prompts)
    captured, mode = loaded.options.cuda_graph, loaded.compile_whole
    if not (mode or captured):
        return Greedy(loaded.model, rules, loaded.device)
    greedy = FixedGreedy(loaded.model, rules, loaded.device, cuda_graph if captured else None)
    if mode:
        greedy.decoder.compile(mode)
    return greedy
