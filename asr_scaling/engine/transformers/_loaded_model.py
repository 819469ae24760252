"""What every family adapter is given, and hooks by which a torch model informs a probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asr_scaling.core.ports import NullProbe, Probe, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.short_clips import least_samples, padded
from asr_scaling.engine._shared.token_texts import Texts
from asr_scaling.engine.transformers._compiled import compile_mode

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from asr_scaling.engine.transformers._options import TransformersOptions


@dataclass(frozen=True)
class Loaded(Texts):
    """A model in memory.

    ``options``: of the engine.
    ``generate``: keyword arguments for every call of the library's ``generate`` (beam, cache).
    """

    model: Any
    device: torch.device
    dtype: torch.dtype
    options: TransformersOptions
    generate: dict[str, Any] = field(default_factory=dict)

    @property
    def compile_whole(self) -> str | None:
        """The mode of torch.compile for encoder and step; None unless both are compiled whole."""
        mode = compile_mode(self.options.compile)
        return None if mode == "regional" else mode

    def planned(self, rows: list[list[int]], seconds: Sequence[float]) -> list[list[int]] | None:
        """Of random weights' ``rows`` the tokens that are planned; None for pretrained ones."""
        if not self.random:
            return None
        pairs = zip(rows, seconds, strict=True)
        return [row[: self.spec.planned_tokens(duration_s)] for row, duration_s in pairs]

    def samples(self, batch: AudioBatch) -> list[NDArray[np.float32]]:
        """The samples of each utterance, of short clips with the silence that the model needs."""
        arrays = [utterance.audio for utterance in batch.utterances]
        return padded(arrays, least_samples(self.model.config, self.features))

    def inputs(self, batch: AudioBatch, probe: Probe, **options: Any) -> dict[str, Any]:
        """Model inputs on the device, padded, floats in the model's dtype.

        These are the stages "features" and "transfer".
        """
        probe.stage("features")
        extracted = self.features(
            self.samples(batch), sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", **options
        )
        probe.stage("transfer")
        return {key: self._moved(value) for key, value in extracted.items()}

    def _moved(self, value: torch.Tensor) -> torch.Tensor:
        """``value`` on the device; with ``overlap`` the copy is not waited for (pinned memory)."""
        dtype = self.dtype if value.is_floating_point() else value.dtype
        if self.options.overlap and self.device.type == "cuda":
            return value.pin_memory().to(self.device, non_blocking=True).to(dtype)
        return value.to(self.device, dtype)


class Steps:
    """Hooks on an encoder-decoder that mark stages and decoding steps.

    ``encoded``: the encoder's last output ``[utterances, frames, width]``; None unless ``keeping``.
    """

    encoded: torch.Tensor | None = None
    keeping = False

    def __init__(self, model: Any, encoder: Any) -> None:
        self.probe: Probe = NullProbe()
        self.count = 0
        encoder.register_forward_pre_hook(self._encode)
        encoder.register_forward_hook(self._decode)
        model.register_forward_hook(self.step)

    def watch(self, probe: Probe) -> None:
        """Tell ``probe`` from now on; steps are counted anew."""
        self.probe, self.count = probe, 0

    @contextmanager
    def paused(self, stage: str) -> Iterator[None]:
        """The time of this block belongs to ``stage``, and its passes are no decoding steps."""
        probe, count = self.probe, self.count
        probe.stage(stage)
        self.probe = NullProbe()
        try:
            yield
        finally:
            self.probe, self.count = probe, count

    def _encode(self, *_: Any) -> None:
        self.probe.stage("encoder")

    def _decode(self, module: Any, inputs: Any, output: Any) -> None:
        self.encoded = output[0] if self.keeping else None
        self.probe.stage("decoder")

    def step(self, *_: Any) -> None:
        """A decoding step of the batch is complete."""
        self.count += 1
        self.probe.token()


class Family:
    """How models of one family turn a batch into text.

    A family is one module of this package, with an ``Adapter``.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    @property
    def encoder(self) -> Any:
        """The torch module that turns features into hidden states."""
        return self.loaded.model.get_encoder()

    @property
    def modules(self) -> dict[str, Any]:
        """Role → torch module, for FLOPs and operators."""
        return {"encoder": self.encoder, "model": self.loaded.model}

    @property
    def details(self) -> dict[str, Any]:
        """What the record should know of the calls so far."""
        return {}

    @property
    def capture_s(self) -> float | None:
        """Seconds spent on capturing steps so far, None where nothing is captured."""
        return None

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts."""
        raise NotImplementedError
