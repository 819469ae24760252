"""whisper.cpp through pywhispercpp: Whisper in C++ for CPUs, one utterance after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asr_scaling.core.checks import one_of
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Device, Probe, SystemFacts, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.short_window import check_margin, windowed
from asr_scaling.engine._shared.speech_system import facts_of, out_of_memory
from asr_scaling.engine._shared.whisper import check_whisper, first_windows, window_of
from asr_scaling.engine.whisper_cpp._library import (
    TOLERANCE,
    Steps,
    ggml_files,
    load_context,
    options,
    places,
)
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.model.whisper import end_of_text

_POSITIONS_PER_S = 50
_ALONE = (
    "whisper.cpp decodes no batches: the utterances of a batch were decoded one after the other."
)


@dataclass(frozen=True)
class WhisperCpp:
    """Options of the engine.

    ``dtype``: of the matrices, float16 or int8 (ggml's q8_0).
    ``beam``: number of hypotheses of the beam search; 1 is greedy.
    ``long_form``: False decodes only the first window; the record says that the rest is lost.
    ``window_margin_s``: seconds that the encoder sees beyond the longest utterance of a batch; None
    for its whole window (_shared/short_window.py).
    ``seed``: of random weights.
    """

    dtype: str = "float16"
    beam: int = 1
    long_form: bool = True
    window_margin_s: float | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, TOLERANCE)
        check_margin(self.window_margin_s)
        if self.beam < 1:
            raise ConfigError(f"engine.beam must be at least 1; got {self.beam}.")

    def check(self, model: ModelSpec) -> None:
        """Whisper and its students."""
        check_whisper(model, "whisper_cpp", "pywhispercpp", "_pywhispercpp")
        sizes = model.architecture
        if {sizes["encoder_ffn_dim"], sizes["decoder_ffn_dim"]} != {4 * sizes["d_model"]}:
            raise EngineError(
                f"whisper.cpp takes inner layers to be four times as wide as the others, and "
                f"those of '{model.name}' are not: use another engine."
            )

    def load(self, model: ModelSpec, device: Device) -> WhisperCppSystem:
        """Convert where that was never done, then load."""
        import torch

        if device.kind != "cpu":
            raise EngineError(
                f"pywhispercpp computes on the CPU, not on {device.torch_name}: use device=cpu."
            )
        files = ggml_files(model, self.dtype, self.seed)
        start = time.perf_counter()
        with out_of_memory(model):
            context = load_context(files.folder)
        load_s = time.perf_counter() - start
        facts = facts_of(files, self.dtype, load_s, notes=(_ALONE,))
        return WhisperCppSystem(model, self, facts, context, torch.get_num_threads())


class WhisperCppSystem:
    """A Whisper in whisper.cpp, loaded."""

    def __init__(
        self, model: ModelSpec, engine: WhisperCpp, facts: SystemFacts, context: Any, threads: int
    ) -> None:
        self.facts = facts
        self._model, self._engine = model, engine
        self._context = context
        self._end = end_of_text(model)
        self._steps = Steps()
        self._parameters = options(threads, engine.beam, suppressing=not facts.random)
        self._steps.attach(self._parameters)

    @property
    def modules(self) -> Mapping[str, Any]:
        """Empty: whisper.cpp has no torch modules."""
        return {}

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts."""
        if self._context is None:
            raise EngineError(f"'{self._model.name}' is closed; load it again.")
        whole_s = window_of(self._model)
        if not self._engine.long_form:
            batch = first_windows(batch, whole_s)

        def attempt(part: AudioBatch, window_s: float | None, most: int | None) -> Transcription:
            return self._each(part, probe, window_s, most)

        with out_of_memory(self._model):
            return windowed(
                batch, self._engine.window_margin_s, whole_s, attempt, guarded=not self.facts.random
            )

    def close(self) -> None:
        """Give the memory back."""
        if self._context is not None:
            import _pywhispercpp as cpp

            self._steps.detach(self._parameters)
            cpp.whisper_free(self._context)
            self._context = None

    def _each(
        self, batch: AudioBatch, probe: Probe, window_s: float | None, most: int | None
    ) -> Transcription:
        """One utterance after the other, each in as many windows as it needs."""
        texts, counts = list[str](), list[int]()
        steps = 0
        for utterance in batch.utterances:
            text, count = self._one(utterance.audio, probe, window_s, most)
            texts.append(text)
            counts.append(count)
            steps += self._steps.count
        return Transcription(tuple(texts), tuple(counts), batch.durations_s, steps)

    def _one(
        self, audio: Any, probe: Probe, window_s: float | None, most: int | None
    ) -> tuple[str, int]:
        """Text and number of tokens; random weights get the planned number in every window."""
        import _pywhispercpp as cpp

        size = round(window_of(self._model) * SAMPLE_RATE_HZ)
        parts = (
            [audio[start : start + size] for start in range(0, audio.size, size)]
            if self.facts.random
            else [audio]
        )
        self._steps.watch(probe)
        rows, text = list[int](), ""
        for part in parts:
            planned = (
                self._model.planned_tokens(part.size / SAMPLE_RATE_HZ)
                if self.facts.random
                else None
            )
            self._set(part.size <= size, window_s, planned if planned is not None else most)
            probe.stage("features")
            if cpp.whisper_full(self._context, self._parameters, part, part.size):
                raise EngineError(
                    f"whisper.cpp failed on {part.size / SAMPLE_RATE_HZ:.1f} s of "
                    f"'{self._model.name}'."
                )
            probe.stage("text")
            tokens = [
                cpp.whisper_full_get_token_id(self._context, *place)
                for place in places(self._context)
            ]
            row = [token for token in tokens if token < self._end][:planned]
            if planned is not None and len(row) < planned:
                raise EngineError(
                    f"Random weights ended after {len(row)} of {planned} planned tokens, and "
                    "whisper.cpp can't be told to go on: choose another engine.seed."
                )
            rows += row
            text += self._text() if planned is None else "".join(f" {token}" for token in row)
        return text.strip(), len(rows)

    def _set(self, one_window: bool, window_s: float | None, most: int | None) -> None:
        """What differs from call to call. Beyond a window whisper.cpp seeks by timestamps."""
        parameters = self._parameters
        parameters.no_timestamps = parameters.single_segment = one_window
        parameters.max_tokens = most or 0
        parameters.audio_ctx = round(window_s * _POSITIONS_PER_S) if window_s else 0

    def _text(self) -> str:
        import _pywhispercpp as cpp

        count = cpp.whisper_full_n_segments(self._context)
        raw = b"".join(cpp.whisper_full_get_segment_text(self._context, i) for i in range(count))
        return raw.decode("utf-8", errors="replace")
