"""A system made of exported graphs: how it is loaded, whichever engine runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine._onnx.files import Fill, for_engine
from asr_scaling.engine._onnx.speech import (
    Ctc,
    Frames,
    Steps,
    Whisper,
    ctc_difference,
    load_texts,
    whisper_difference,
)
from asr_scaling.engine._onnx.token_policy import load_policy, model_config
from asr_scaling.engine._shared.speech_system import (
    Speech,
    SpeechSystem,
    facts_of,
    out_of_memory,
)
from asr_scaling.engine._shared.window_by_window import Windows


@dataclass(frozen=True)
class Recipe:
    """How an engine runs exported graphs.

    ``margin_s``: ``window_margin_s`` of the engine's options.
    ``features_on``: ``device`` of ``Windows``.
    ``steps``: loads Whisper's two graphs from a folder.
    ``frames``: loads a CTC graph from a folder.
    ``fill``: makes the engine's own files of the exported ones; None when it reads those.
    ``tolerance``: how far logits may be from transformers', in their standard deviations.
    ``options``: what else shapes the files, such as versions.
    ``details``: for the record.
    """

    engine: str
    dtype: str
    seed: int
    margin_s: float | None
    features_on: str | None
    steps: Callable[[Path], Steps]
    frames: Callable[[Path], Frames]
    fill: Fill | None
    tolerance: float
    options: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def load(self, model: ModelSpec) -> SpeechSystem:
        """Converts and checks when that was never done, then loads.

        ``load_s`` in the facts is of loading alone.
        """
        files = for_engine(
            model,
            self.engine,
            fill=self.fill,
            check=self._check,
            tolerance=self.tolerance,
            seed=self.seed,
            dtype=self.dtype,
            **self.options,
        )
        texts, origin = load_texts(model, files.weights), files.weights.folder
        start = time.perf_counter()
        with out_of_memory(model):
            speech: Speech
            if model.family == "whisper":
                windows = Windows(
                    model, texts.features, texts.random, self.margin_s, self.features_on
                )
                speech = Whisper(
                    texts, self.steps(files.folder), load_policy(model, origin), windows
                )
            else:
                speech = Ctc(texts, self.frames(files.folder), model_config(model, origin))
        load_s = time.perf_counter() - start
        return SpeechSystem(
            model, facts_of(files, self.dtype, load_s, details=dict(self.details)), speech
        )

    def _check(self, folder: Path, check: Mapping[str, Any]) -> float:
        if "tokens" in check:
            return whisper_difference(self.steps(folder), check)
        return ctc_difference(self.frames(folder), check)
