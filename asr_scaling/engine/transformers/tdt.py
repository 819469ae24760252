"""Token-and-duration transducers (Xu et al. 2023).

Each step emits a token and a number of frames to skip.
"""

from __future__ import annotations

import math
from typing import Any

from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers._loaded_model import Family, Loaded, Steps

_LOW = -1e4


class Adapter(Family):
    """Greedy transducer decoding; random weights are made to advance at the pace of speech."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded)
        if loaded.random:
            # before the step is counted, after it is computed
            loaded.model.register_forward_hook(self._pace)
        self._steps = Steps(loaded.model, self.encoder)

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts; blanks are dropped."""
        loaded, seconds = self.loaded, batch.durations_s
        self._steps.watch(probe)
        inputs = loaded.inputs(batch, probe, padding=True)
        config = loaded.model.config
        frames = math.ceil(max(seconds) * 100 / config.encoder_config.subsampling_factor) + 1
        options = {"max_new_tokens": frames * config.max_symbols_per_step, **loaded.generate}
        ids = loaded.model.generate(**inputs, do_sample=False, **options)
        ids = ids.sequences[:, 1:].tolist()
        probe.stage("text")
        silent = (config.blank_token_id, config.pad_token_id)
        rows = loaded.planned(ids, seconds) or [
            [token for token in row if token not in silent] for row in ids
        ]
        texts = loaded.text(rows, group_tokens=False)
        return Transcription(texts, tuple(map(len, rows)), seconds, self._steps.count)

    def _pace(self, module: Any, args: Any, output: Any) -> Any:
        """Makes random weights emit a token and skip as many frames as speech has per token.

        The skip stays within the model's durations. Frames per second follow from the encoder: 100
        mel frames a second over its subsampling factor.
        """
        config = self.loaded.model.config
        frames_per_s = 100 / config.encoder_config.subsampling_factor
        frames_per_token = frames_per_s / (self.loaded.spec.tokens_per_s or 1.0)
        skip = max(1, min(len(config.durations) - 1, round(frames_per_token)))
        output.logits[..., config.blank_token_id] = _LOW
        output.logits[..., config.vocab_size :] = _LOW
        output.logits[..., config.vocab_size + skip] = 0.0
        return output
