"""From samples to text with CTranslate2: short audio in batches, long audio by faster-whisper."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.language import language_code
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import NullProbe, Probe, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.decoding_options import DecodingOptions
from asr_scaling.engine._shared.decoding_steps import Step
from asr_scaling.engine._shared.whisper import asked, first_windows, hear, told, window_of
from asr_scaling.engine._shared.window_by_window import Rows, Windows
from asr_scaling.model.convert import Converted
from asr_scaling.model.transformers_objects import pretrained
from asr_scaling.model.whisper import Prompts, end_of_text

_LONG_FORM = {
    "task": "transcribe",
    "temperature": 0.0,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    "condition_on_previous_text": False,
}
"""transformers' policy for long audio.

Windows seek by timestamps, are decoded once, and don't see the text of the window before."""


class Speech:
    """A loaded ``WhisperModel`` of faster-whisper.

    Audio up to a window goes to its network directly, a batch at a time, as faster-whisper's own
    BatchedInferencePipeline does. Longer audio goes to the library's ``transcribe``, which takes
    one recording and decodes timestamps too.
    """

    def __init__(
        self,
        model: ModelSpec,
        options: DecodingOptions,
        library: Any,
        files: Converted,
        place: str | None,
    ) -> None:
        from transformers import AutoFeatureExtractor

        self._model = model
        self._library, self._network = library, library.model
        self._options, self._random = options, files.weights.kind == "random"
        extractor = pretrained(AutoFeatureExtractor, files.folder, model)
        self._windows = Windows(model, extractor, options.plan(model, self._random), place)
        # its threads begin with it, and draw on from there: CTranslate2 can't be told again
        ctranslate2.set_random_seed(options.seed)
        self._tokenizer = library.hf_tokenizer
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        special = {name: i for name, i in vocabulary.items() if name.startswith("<|")}
        self._prompts = Prompts.of_tokens(model, special)
        self._end = end_of_text(model)
        self._most = int(model.architecture["max_target_positions"]) - self._prompts.tokens
        self._watched = _Watched(library.model)
        library.model = self._watched

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts.

        Audio beyond a window is decoded one recording after another, unless only the first window
        is wanted.
        """
        whole_s = window_of(self._model)
        if not self._options.long_form:
            batch = first_windows(batch, whole_s)
        elif batch.longest_s > whole_s and not self._random:
            return self._long(batch, probe)

        return self._windows.transcribe(batch, probe, self._decode, self._texts)

    def _decode(
        self,
        features: NDArray[np.float32],
        probe: Probe,
        step: Step,
        planned: list[int] | None,
        languages: list[str | None],
    ) -> Rows:
        """As ``Windows`` asks for; the steps are those of the longest row."""
        probe.stage("encoder")
        encoded = self._network.encode(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(features))
        )
        probe.stage("decoder")
        bound = max(planned) + 1 if planned else step.most or self._most
        if self._model.multilingual:
            hear(languages, partial(self._recognised, encoded))
        results = self._network.generate(
            encoded,
            [list(self._prompts.of(code)) for code in languages],
            **_search(step),
            # CTranslate2 decodes at most half of it (openai/whisper's rule)
            max_length=2 * min(bound, self._most),
            suppress_blank=planned is None,
            # -1: those of the model's generation config
            suppress_tokens=[self._end] if planned else [-1],
        )
        rows = [result.sequences_ids[0] for result in results]
        if planned is not None:
            cut = [row[:n] for row, n in zip(rows, planned, strict=True)]
            return Rows(cut, max(map(len, rows)))
        means = [_mean(result) for result in results] if step.scored else None
        rows = [[token for token in row if token < self._end] for row in rows]
        return Rows(
            rows,
            min(max(map(len, rows)) + 1, bound),
            means,
            lambda number: float(results[number].no_speech_prob),
        )

    def _long(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """faster-whisper's sequential windows, to the end of each recording."""
        rows, steps = list[list[int]](), 0
        languages = asked(self._model, batch)
        for i, utterance in enumerate(batch.utterances):
            self._watched.probe = probe
            probe.stage("features")
            segments, about = self._library.transcribe(
                utterance.audio,
                beam_size=self._options.decoding.beam,
                language=self._own(languages[i]),
                **_LONG_FORM,
            )
            languages[i] = language_code(about.language)
            tokens = [token for segment in segments for token in segment.tokens]
            steps += len(tokens)
            rows.append([token for token in tokens if token < self._end])
        probe.stage("text")
        self._watched.probe = NullProbe()
        texts, spoken = self._texts(rows), told(self._model, languages)
        counts = tuple(map(len, rows))
        return Transcription(texts, counts, batch.durations_s, steps, languages=spoken).once()

    def _recognised(self, encoded: Any) -> list[str]:
        """The most likely language of each row of ``encoded``."""
        ranked = self._network.detect_language(encoded)
        return [str(language_code(row[0][0].strip("<|>"))) for row in ranked]

    def _own(self, language: str | None) -> str | None:
        """faster-whisper's code of ``language``."""
        if language is None:
            return None
        token = self._prompts.of(language)[1]
        return str(self._tokenizer.id_to_token(token)).strip("<|>")

    def _texts(self, rows: Sequence[Sequence[int]]) -> tuple[str, ...]:
        return tuple(str(self._tokenizer.decode(row)).strip() for row in rows)


def _search(step: Step) -> dict[str, Any]:
    """The options of CTranslate2's ``generate`` for ``step``."""
    asked = {"return_scores": step.scored, "return_no_speech_prob": step.scored}
    if not step.sampled:
        return {"beam_size": step.beam, **asked}
    return {
        "beam_size": 1,
        "num_hypotheses": step.best_of,
        "sampling_topk": 0,
        "sampling_temperature": step.temperature,
        **asked,
    }


def _mean(result: Any) -> float:
    """Mean log-probability of the best text's tokens and of the end of text.

    CTranslate2's score is their sum over the number of tokens without the end of text.
    """
    tokens = len(result.sequences_ids[0])
    return float(result.scores[0]) * tokens / (tokens + 1)


class _Watched:
    """A network of CTranslate2 that says which stage begins, for faster-whisper's own loop."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.probe: Probe = NullProbe()

    def encode(self, *arguments: Any, **options: Any) -> Any:
        """Stage "encoder"."""
        self.probe.stage("encoder")
        return self._network.encode(*arguments, **options)

    def generate(self, *arguments: Any, **options: Any) -> Any:
        """Stage "decoder"; what follows is the loop's own, up to the next window."""
        self.probe.stage("decoder")
        return self._network.generate(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
