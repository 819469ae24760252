"""Whisper up to its window by this package's own loop over features, encoder and decoder."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.decoding_steps import Decoded, Step
from asr_scaling.engine._shared.log_mel import LogMel
from asr_scaling.engine._shared.short_window import most_tokens
from asr_scaling.engine._shared.whisper import asked, told, window_of
from asr_scaling.engine.transformers._greedy_decoding import Greedy, Rules
from asr_scaling.engine.transformers._loaded_model import Loaded, Steps
from asr_scaling.engine.transformers._loop_search import searched
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
        self._plan = loaded.options.plan(loaded.spec, loaded.random)

    def transcribe(self, batch: AudioBatch) -> Transcription:
        """From samples to texts; of an utterance that is longer than the window its beginning."""
        done = self._plan.transcribe(batch, self._attempt)
        return replace(done, audio_s=tuple(min(s, self._whole_s) for s in batch.durations_s))

    def _attempt(self, batch: AudioBatch, step: Step) -> Decoded:
        """One pass over ``batch`` as ``step`` asks for."""
        loaded, before = self._loaded, self._steps.count
        seconds = tuple(min(s, self._whole_s) for s in batch.durations_s)
        samples = round((step.window_s or self._whole_s) * SAMPLE_RATE_HZ)
        encoded = self._encoded(batch, samples)
        limits = [self._limit(s, step.most) for s in seconds]
        languages, means = asked(loaded.spec, batch), None
        if step.scored:
            rows, means = searched(
                self.greedy, encoded, limits, step, stepped=self._steps.step, languages=languages
            )
        else:
            ends = not loaded.random
            rows = self.greedy.decode(encoded, limits, self._steps.step, ends, languages)
        self._steps.probe.stage("text")
        kept = self._kept(rows)
        return Decoded.of(
            loaded.text(kept),
            list(map(len, kept)),
            self._steps.count - before,
            means,
            languages=told(loaded.spec, languages),
            no_speech=lambda number: self.greedy.no_speech(encoded[number : number + 1]),
        )

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
