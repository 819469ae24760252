"""From samples to text with whisper.cpp, one utterance after the other."""

from __future__ import annotations

from typing import Any

import _pywhispercpp as cpp

from asr_scaling.core.language import AUTO, language_code
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.decoding_options import DecodingOptions
from asr_scaling.engine._shared.decoding_steps import Decoded, Step
from asr_scaling.engine._shared.short_clips import padded
from asr_scaling.engine._shared.whisper import asked, first_windows, told, window_of
from asr_scaling.engine.whisper_cpp._library import Steps, options, own_codes, places, set_search
from asr_scaling.errors import EngineError
from asr_scaling.model.whisper import end_of_text

_POSITIONS_PER_S = 50
_LEAST = round(0.15 * SAMPLE_RATE_HZ)
"""Of less than about 0.11 s of samples whisper.cpp says nothing, and gives no text."""
SILENT = -1e9
"""Mean log-probability of a text that whisper.cpp dropped as silence."""


class Speech:
    """A Whisper in whisper.cpp, loaded."""

    def __init__(
        self, model: ModelSpec, engine: DecodingOptions, random: bool, context: Any, threads: int
    ) -> None:
        self._model, self._engine = model, engine
        self._random, self._context = random, context
        self._end = end_of_text(model)
        self._plan = engine.plan(model, random)
        self._parameters = options(threads, suppressing=not random)
        self._codes = own_codes()
        self._steps = Steps()
        self._steps.attach(self._parameters)

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts."""
        if not self._engine.long_form:
            batch = first_windows(batch, window_of(self._model))
        return self._plan.transcribe(batch, lambda part, step: self._each(part, probe, step))

    def free(self) -> None:
        """Gives the memory back; nothing can be transcribed any more."""
        self._steps.detach(self._parameters)
        cpp.whisper_free(self._context)

    def _each(self, batch: AudioBatch, probe: Probe, step: Step) -> Decoded:
        """One utterance after the other, each in as many windows as it needs."""
        texts, counts = list[str](), list[int]()
        means = list[float]()
        languages, steps = asked(self._model, batch), 0
        for i, utterance in enumerate(batch.utterances):
            self._parameters.language = self._own(languages[i])
            text, count = self._one(utterance.audio, probe, step)
            means.append(self._mean())
            languages[i] = self._heard()
            texts.append(text)
            counts.append(count)
            steps += self._steps.count
        return Decoded.of(
            texts,
            counts,
            steps,
            means if step.scored else None,
            languages=told(self._model, languages),
            no_speech=lambda number: float(means[number] == SILENT),
        )

    def _mean(self) -> float:
        """Mean log-probability of the last call's tokens; ``SILENT`` where it kept none.

        whisper.cpp drops what it takes for silence, by the rule's own two numbers.
        """
        found = places(self._context)
        likely = [cpp.whisper_full_get_token_data(self._context, *place).plog for place in found]
        return sum(likely) / len(likely) if likely else SILENT

    def _one(self, audio: Any, probe: Probe, step: Step) -> tuple[str, int]:
        """Text and number of tokens; random weights get the planned number in every window."""
        size = round(window_of(self._model) * SAMPLE_RATE_HZ)
        parts = (
            [audio[start : start + size] for start in range(0, audio.size, size)]
            if self._random
            else [audio]
        )
        self._steps.watch(probe)
        rows, text = list[int](), ""
        for part in parts:
            heard = padded([part], _LEAST)[0]
            part_s = part.size / SAMPLE_RATE_HZ
            planned = self._model.planned_tokens(part_s) if self._random else None
            self._set(part.size <= size, step, planned if planned is not None else step.most)
            # recognising the language comes before the first callback
            probe.stage("language" if self._parameters.language == AUTO else "features")
            if cpp.whisper_full(self._context, self._parameters, heard, heard.size):
                raise EngineError(f"whisper.cpp failed on {part_s:.1f} s of '{self._model.name}'.")
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

    def _own(self, language: str | None) -> str:
        """whisper.cpp's code of ``language``; to be recognised where it is None."""
        if not self._model.multilingual:
            return "en"
        return AUTO if language is None else self._codes[language]

    def _heard(self) -> str:
        """The language of the last call, asked for or recognised."""
        number = cpp.whisper_full_lang_id(self._context)
        return str(language_code(cpp.whisper_lang_str(number)))

    def _set(self, one_window: bool, step: Step, most: int | None) -> None:
        """What differs from call to call. Beyond a window whisper.cpp seeks by timestamps."""
        parameters, window_s = self._parameters, step.window_s
        set_search(parameters, step, self._engine.decoding)
        parameters.no_timestamps = parameters.single_segment = one_window
        parameters.max_tokens = most or 0
        parameters.audio_ctx = round(window_s * _POSITIONS_PER_S) if window_s else 0

    def _text(self) -> str:
        count = cpp.whisper_full_n_segments(self._context)
        raw = b"".join(cpp.whisper_full_get_segment_text(self._context, i) for i in range(count))
        return raw.decode("utf-8", errors="replace")
