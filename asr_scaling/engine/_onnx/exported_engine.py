"""An engine that runs exported graphs: its options, what it takes, and how a model is loaded."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import imported, one_of
from asr_scaling.core.ports import Capabilities, Device
from asr_scaling.engine._onnx.files import CTC_TYPES, Fill, check_length, for_engine
from asr_scaling.engine._onnx.speech import (
    Ctc,
    Frames,
    Steps,
    Whisper,
    ctc_difference,
    whisper_difference,
)
from asr_scaling.engine._onnx.token_policy import load_policy, model_config
from asr_scaling.engine._shared.decoding_options import check_decoding
from asr_scaling.engine._shared.decoding_steps import Plan
from asr_scaling.engine._shared.log_mel import check_features, place_of
from asr_scaling.engine._shared.other_engine import engine_for
from asr_scaling.engine._shared.short_window import check_margin
from asr_scaling.engine._shared.speech_system import Speech, SpeechSystem, facts_of, out_of_memory
from asr_scaling.engine._shared.token_texts import load_texts
from asr_scaling.engine._shared.whisper import window_of
from asr_scaling.engine._shared.window_by_window import Windows
from asr_scaling.errors import EngineError


@dataclass(frozen=True)
class Graphs:
    """How an engine runs exported graphs on one device.

    ``steps``: loads Whisper's two graphs from a folder.
    ``frames``: loads a CTC graph from a folder.
    ``fill``: makes the engine's own files of the exported ones; None when it reads those.
    ``options``: what shapes the files besides the data type, such as versions.
    ``details``: for the record.
    """

    steps: Callable[[Path], Steps]
    frames: Callable[[Path], Frames]
    fill: Fill | None
    options: Mapping[str, Any]
    details: Mapping[str, Any]

    def difference(self, folder: Path, check: Mapping[str, Any]) -> float:
        """How far the logits of the graphs in ``folder`` are from those of the check."""
        if "tokens" in check:
            return whisper_difference(self.steps(folder), check)
        return ctc_difference(self.frames(folder), check)


@dataclass(frozen=True)
class ExportedEngine(ABC):
    """Options of an engine that runs exported graphs.

    ``name``: as it is chosen; its package and its extra have this name too.
    ``tolerance``: dtype → how far logits may be from transformers', in standard deviations of
    these.
    ``dtype``: of weights and arithmetic, one of ``tolerance``.
    ``window_margin_s``: seconds that Whisper's encoder sees beyond the longest utterance of a
    batch; None for its whole window (_shared/short_window.py).
    ``features``: "library" for the extractor of transformers, "device" to compute Whisper's on the
    device (_shared/log_mel.py).
    ``seed``: of random weights, and of samples.
    ``decoding``: by beams or greedily, and what is decoded again.
    """

    name: ClassVar[str]
    tolerance: ClassVar[Mapping[str, float]]
    dtype: str = "float32"
    window_margin_s: float | None = None
    features: str = "library"
    seed: int = 42
    decoding: Decoding = GREEDY

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, self.tolerance)
        check_margin(self.window_margin_s)
        check_features(self.features)

    @property
    def capabilities(self) -> Capabilities:
        """The runtimes run graphs; what decodes with them is greedy."""
        return Capabilities(decoding="greedy by optimum and openvino-genai; the runtime has none")

    def check(self, model: ModelSpec) -> None:
        """Whisper, wav2vec 2.0 and HuBERT."""
        if model.family != "whisper" and (
            model.family != "ctc" or model.model_type not in CTC_TYPES
        ):
            raise EngineError(
                f"engine={self.name} runs Whisper and the CTC models {' and '.join(CTC_TYPES)}, "
                f"and '{model.name}' is a '{model.model_type}': use {engine_for(model)}."
            )
        if self.window_margin_s is not None and model.window_s is None:
            raise EngineError(f"'{model.name}' has no window: leave out engine.window_margin_s.")
        check_decoding(model, self.decoding)
        for package in (self.name, "onnx", "onnxscript"):
            imported(package, self.name)

    def check_length(self, model: ModelSpec, longest_s: float) -> None:
        """One window of Whisper, unless its weights are random."""
        check_length(model, longest_s)

    @abstractmethod
    def graphs(self, device: Device) -> Graphs:
        """How graphs are run on ``device``. Raises EngineError when they can't be."""

    def load(self, model: ModelSpec, device: Device) -> SpeechSystem:
        """Converts and checks where that was never done, then loads.

        ``load_s`` in the facts is of loading alone.
        """
        graphs = self.graphs(device)
        files = for_engine(
            model,
            self.name,
            fill=graphs.fill,
            check=graphs.difference,
            tolerance=self.tolerance[self.dtype],
            seed=self.seed,
            dtype=self.dtype,
            **graphs.options,
        )
        texts, origin = load_texts(model, files.weights), files.weights.folder
        place = place_of(self.features, device)
        start = time.perf_counter()
        with out_of_memory(model):
            speech: Speech
            if model.family == "whisper":
                whole_s, margin_s = window_of(model), self.window_margin_s
                plan = Plan(self.decoding, self.seed, margin_s, whole_s, not texts.random)
                windows = Windows(model, texts.features, plan, place)
                steps, policy = graphs.steps(files.folder), load_policy(model, origin)
                speech = Whisper(texts, steps, policy, windows)
            else:
                speech = Ctc(texts, graphs.frames(files.folder), model_config(model, origin))
        load_s = time.perf_counter() - start
        return SpeechSystem(model, facts_of(files, self.dtype, load_s, graphs.details), speech)
