"""Whisper and its distilled students: 30 s windows, long audio to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._shared.decoding_steps import Decoded, Step
from asr_scaling.engine._shared.whisper import asked, hear, told, window_of
from asr_scaling.engine.transformers._compiled import compile_forward
from asr_scaling.engine.transformers._encoder import take_any_length
from asr_scaling.engine.transformers._library_search import LibrarySearch
from asr_scaling.engine.transformers._loaded_model import Family, Loaded, Steps
from asr_scaling.engine.transformers._loop import Loop
from asr_scaling.errors import EngineError
from asr_scaling.model.whisper import Prompts, end_of_text, language_ids

_FRAMES = 3000
"""Mel frames of a window: 30 s at 100 a second."""


class Adapter(Family):
    """One ``generate`` call up to 30 s; beyond, the library's windows, which seek by timestamps.

    Random weights can't seek by timestamps. They get one window for each 30 s, with the planned
    number of tokens.
    """

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded)
        loop = loaded.options.decode == "loop"
        if loop:
            take_any_length(self.encoder)
            if loaded.compile_whole:
                compile_forward(self.encoder, loaded.compile_whole)
        self._steps = Steps(loaded.model, self.encoder)
        if loaded.random:
            _complete_generation_config(loaded)
        self._options: dict[str, Any] = {"do_sample": False, **loaded.generate}
        self._prompts = Prompts.of_config(loaded.spec, loaded.model.generation_config)
        self._loop = Loop(loaded, self._steps, self._prompts) if loop else None
        self._plan = loaded.options.plan(loaded.spec, loaded.random)
        self._beyond = 0

    @property
    def details(self) -> dict[str, Any]:
        """Which calls the loop did not decode, where there is one."""
        if self._loop is None:
            return {}
        beyond = f"; library for {self._beyond} calls beyond a window" if self._beyond else ""
        return {"decode": f"loop{beyond}"}

    @property
    def capture_s(self) -> float | None:
        """Seconds spent on capturing the loop's step so far, None where it is not captured."""
        return self._loop.greedy.capture_s if self._loop else None

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts.

        Every second of audio is processed, unless only the first window is wanted.
        Raises EngineError for a batch of several utterances with a draft.
        """
        loaded, seconds = self.loaded, batch.durations_s
        if len(batch) > 1 and "assistant_model" in loaded.generate:
            raise EngineError("engine.draft decodes one utterance at a time: set batch=1.")
        if not loaded.options.long_form:
            seconds = tuple(min(s, loaded.spec.window_s or s) for s in seconds)
        self._steps.watch(probe)
        if self._loop and max(seconds) <= window_of(loaded.spec):
            return self._loop.transcribe(batch)
        if not loaded.random and max(seconds) <= window_of(loaded.spec):
            done = self._plan.transcribe(batch, self._attempt)
            return replace(done, audio_s=seconds)
        self._beyond += 1
        inputs = loaded.inputs(batch, probe, **self._padding(max(seconds)))
        languages = asked(loaded.spec, batch)
        if loaded.spec.multilingual:
            hear(languages, partial(self._recognised, inputs["input_features"]))
        if loaded.random:
            rows = self._windows(inputs["input_features"], seconds, languages)
            probe.stage("text")
        else:
            long = inputs["input_features"].shape[-1] > _FRAMES
            extra = {"return_timestamps": True, "condition_on_prev_tokens": False} if long else {}
            rows = self._generated(inputs, languages, extra)
        texts, tokens = loaded.text(rows), tuple(map(len, rows))
        spoken = told(loaded.spec, languages)
        return Transcription(texts, tokens, seconds, self._steps.count, languages=spoken).once()

    def _attempt(self, batch: AudioBatch, step: Step) -> Decoded:
        """One window of each utterance, decoded as ``step`` asks for."""
        loaded, before = self.loaded, self._steps.count
        inputs = loaded.inputs(batch, self._steps.probe, return_attention_mask=True)
        languages = asked(loaded.spec, batch)
        means, no_speech = None, None
        if loaded.spec.multilingual:
            hear(languages, partial(self._recognised, inputs["input_features"]))
        if step.scored:
            rows, means, no_speech = self._searched(inputs, step, languages)
        else:
            rows = self._generated(inputs, languages, {})
        return Decoded.of(
            loaded.text(rows),
            list(map(len, rows)),
            self._steps.count - before,
            means,
            languages=told(loaded.spec, languages),
            no_speech=no_speech,
        )

    def _generated(
        self, inputs: dict[str, Any], languages: Sequence[str | None], extra: dict[str, Any]
    ) -> list[list[int]]:
        """The tokens that carry the texts; specials and timestamps lie above the end of text."""
        model = self.loaded.model
        options = self._options | self._prompted(languages) | extra
        rows = model.generate(**inputs, **options).tolist()
        self._steps.probe.stage("text")
        eot = model.generation_config.eos_token_id
        return [[token for token in row if token < eot] for row in rows]

    def _searched(
        self, inputs: dict[str, Any], step: Step, languages: Sequence[str | None]
    ) -> tuple[list[list[int]], list[float], Callable[[int], float]]:
        """Tokens, their mean log-probabilities, and the probability of "no speech"."""
        search = LibrarySearch(self.loaded.model, self.loaded.model.generation_config.eos_token_id)
        self._steps.keeping = True
        rows, totals = search.run(inputs, step, self._options | self._prompted(languages))
        self._steps.keeping = False
        kept, self._steps.encoded = self._steps.encoded, None
        assert kept is not None
        hidden, prompts = kept[:: step.best_of if step.sampled else 1], self._prompts

        def no_speech(number: int) -> float:
            heard = hidden[number : number + 1]
            with self._steps.paused("decoder"):
                return search.probability(heard, [prompts.start], prompts.no_speech)

        with self._steps.paused("decoder"):
            totals = [
                search.total(hidden[i : i + 1], prompts.of(languages[i]), rows[i])
                if math.isnan(total)
                else total
                for i, total in enumerate(totals)
            ]
        self._steps.probe.stage("text")
        means = [total / (len(row) + 1) for total, row in zip(totals, rows, strict=True)]
        return rows, means, no_speech

    def _recognised(self, features: Any) -> list[str]:
        """The languages that the model hears, by a pass of its own, as in the library's generate.

        ``features``: [utterances, mels, frames], of which the first window counts.
        """
        with self._steps.paused("language"):
            tokens = self.loaded.model.detect_language(input_features=features)
        return [self._prompts.recognised(token) for token in tokens.tolist()]

    def _prompted(self, languages: Sequence[str | None]) -> dict[str, Any]:
        """Options of ``generate`` for utterances in ``languages``; none without a choice."""
        if not self.loaded.spec.multilingual:
            return {}
        tokens = self.loaded.model.generation_config.lang_to_id
        names_of = {number: name for name, number in tokens.items()}
        names = [names_of[self._prompts.of(code)[1]] for code in languages]
        alike = len(set(names)) == 1
        return {"language": names[0] if alike else names, "task": "transcribe"}

    def _padding(self, longest_s: float) -> dict[str, Any]:
        window_s = window_of(self.loaded.spec)
        if longest_s <= window_s:
            return {"return_attention_mask": True}
        options = {"truncation": False, "padding": "longest", "return_attention_mask": True}
        if self.loaded.random:
            options["pad_to_multiple_of"] = round(window_s * SAMPLE_RATE_HZ)
        return options

    def _windows(
        self, features: Any, seconds: tuple[float, ...], languages: Sequence[str | None]
    ) -> list[list[int]]:
        """Rows of random weights, which decode the planned number of tokens for every 30 s window.

        A window takes as many steps as its longest row.
        """
        loaded, window_s = self.loaded, window_of(self.loaded.spec)
        rows: list[list[int]] = [[] for _ in seconds]
        for start in range(0, features.shape[-1], _FRAMES):
            left = {
                i: min(window_s, s - start / 100) for i, s in enumerate(seconds) if s > start / 100
            }
            plan = {i: loaded.spec.planned_tokens(s) for i, s in left.items()}
            steps = max(plan.values()) + 1  # the step that would give the end of text
            window = features[list(plan), :, start : start + _FRAMES]
            options = self._options | self._prompted([languages[i] for i in plan])
            ids = loaded.model.generate(
                window, min_new_tokens=steps, max_new_tokens=steps, **options
            ).tolist()
            for row, (i, n) in zip(ids, plan.items(), strict=True):
                rows[i] += row[-steps:][:n]
        return rows


def _complete_generation_config(loaded: Loaded) -> None:
    """Gives random weights the special token ids of Whisper's vocabulary."""
    config, spec = loaded.model.generation_config, loaded.spec
    prompts = Prompts.of_vocabulary(spec)
    config.is_multilingual = spec.multilingual
    config.no_timestamps_token_id = prompts.no_timestamps
    _never_seek(loaded.model)
    config.suppress_tokens = config.begin_suppress_tokens = None
    config.eos_token_id = end_of_text(spec)
    if prompts.transcribe is not None:
        config.lang_to_id = language_ids(spec)
        config.task_to_id = {
            "translate": prompts.transcribe - 1,
            "transcribe": prompts.transcribe,
        }


def _never_seek(model: Any) -> None:
    """Makes the library never seek to a timestamp, which random weights may decode by chance.

    It would decode the rest of the window once more.
    """
    prepare = model._set_return_timestamps

    def beyond(*given: Any, **named: Any) -> int:
        prepare(*given, **named)
        return int(model.config.vocab_size) + 1

    model._set_return_timestamps = beyond  # gives the id of the first timestamp
