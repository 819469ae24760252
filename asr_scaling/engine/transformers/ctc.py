"""CTC models: wav2vec 2.0, HuBERT, Conformers. One forward pass, the best token of each frame."""

from __future__ import annotations

from typing import Any

from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.ctc import collapsed
from asr_scaling.engine.transformers._loaded_model import Family


class Adapter(Family):
    """Greedy CTC (_shared/ctc.py)."""

    @property
    def encoder(self) -> Any:
        """Everything below the CTC head, the convolutions over samples included."""
        model = self.loaded.model
        return getattr(model, model.base_model_prefix, None) or model.encoder

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts; frames that only padding gave are dropped before collapsing."""
        loaded = self.loaded
        inputs = loaded.inputs(batch, probe, padding=True)
        probe.stage("encoder")
        logits = loaded.model(**inputs).logits
        probe.stage("decoder")
        frames = logits.argmax(dim=-1).cpu().tolist()
        probe.stage("text")
        lengths = self._frames(batch, inputs, len(frames[0]))
        blank = loaded.model.config.pad_token_id
        rows = collapsed(frames, lengths, blank)
        texts = loaded.text(rows, group_tokens=False)
        return Transcription(texts, tuple(map(len, rows)), batch.durations_s)

    def _frames(self, batch: AudioBatch, inputs: dict[str, Any], most: int) -> list[int]:
        """Output frames that belong to each utterance."""
        import torch

        model = self.loaded.model
        if hasattr(model, "_get_feat_extract_output_lengths"):
            samples = torch.tensor([array.size for array in self.loaded.samples(batch)])
            frames = model._get_feat_extract_output_lengths(samples)
        elif "attention_mask" in inputs and hasattr(model, "_get_subsampling_output_length"):
            frames = model._get_subsampling_output_length(inputs["attention_mask"].sum(-1))
        else:
            return [most] * len(batch)
        return [min(most, int(n)) for n in frames]
