"""Moonshine: an encoder-decoder whose encoder sees just the audio that is there."""

from __future__ import annotations

from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers._loaded_model import Family, Loaded, Steps

_MOST_TOKENS_PER_S = 6.5
"""The authors' bound against endless repetition (Moonshine model card: 6.5 tokens per second)."""


class Adapter(Family):
    """One ``generate`` call whatever the length."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded)
        self._steps = Steps(loaded.model, self.encoder)

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts."""
        loaded, seconds = self.loaded, batch.durations_s
        self._steps.watch(probe)
        inputs = loaded.inputs(batch, probe, padding=True)
        steps = max(map(loaded.spec.planned_tokens, seconds)) + 1
        bound: dict[str, int] = {"max_new_tokens": max(2, int(max(seconds) * _MOST_TOKENS_PER_S))}
        if loaded.random:
            bound = {"min_new_tokens": steps, "max_new_tokens": steps}
        ids = loaded.model.generate(**inputs, do_sample=False, **loaded.generate, **bound)
        ids = ids[:, 1:].tolist()
        probe.stage("text")
        config = loaded.model.config
        ends = {config.eos_token_id, config.pad_token_id, config.bos_token_id}
        rows = loaded.planned(ids, seconds) or [
            [token for token in row if token not in ends] for row in ids
        ]
        return Transcription(loaded.text(rows), tuple(map(len, rows)), seconds, self._steps.count)
