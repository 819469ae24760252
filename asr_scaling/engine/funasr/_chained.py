"""A call of FunASR's own chain: what each module costs, and what random weights may not decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.module_use import PUNCTUATION, RECOGNITION, SPEAKER, VAD
from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine.funasr._chain import LONGEST_S, Chain
from asr_scaling.engine.funasr._meter import Meter
from asr_scaling.engine.funasr._speech import told
from asr_scaling.engine.funasr._texts import plain_text, tags
from asr_scaling.engine.funasr._watched import Watched
from asr_scaling.model.funasr_folders import FunAsrWeights
from asr_scaling.model.funasr_layouts import FRAME_SAMPLES
from asr_scaling.model.funasr_modules import watch_transfers
from asr_scaling.model.funasr_package import running

Answer = tuple[list[dict[str, Any]], dict[str, Any]]
"""What an ``inference`` of FunASR returns: an answer for each input, and figures of its own."""


class ChainedSpeech:
    """A loaded ``AutoModel`` with modules around the recogniser; one recording at a time.

    ``device``: of the recogniser.
    ``options``: of each call.
    """

    def __init__(
        self,
        spec: ModelSpec,
        library: Any,
        *,
        chain: Chain,
        weights: Mapping[str, FunAsrWeights],
        device: str,
        threads: int,
        options: Mapping[str, Any],
    ) -> None:
        self._spec, self._library = spec, library
        self._threads, self._options = threads, options
        self._random = {name for name, own in weights.items() if own.random}
        self._tokens = Watched(library).tokens
        devices = {name: module.device or device for name, module in chain.modules.items()}
        self._meter = Meter({**devices, RECOGNITION: device})
        self._own_threads = {name: part.threads for name, part in chain.modules.items()}
        self._stretches: Sequence[Sequence[float]] = ()
        self._said: list[str] = []
        self._observe(library.model, "inference", RECOGNITION, self._recognised)
        self._count(library.model.encoder, "forward", RECOGNITION, device)
        if chain.vad is not None:
            self._observe(library.vad_model, "inference", VAD, self._found_speech)
            self._count(library.vad_model, "forward", VAD, devices[VAD])
        if chain.punctuation is not None:
            marks = _no_marks if PUNCTUATION in self._random else None
            self._observe(library.punc_model, "inference", PUNCTUATION, marks)
            self._count(library.punc_model, "punc_forward", PUNCTUATION, devices[PUNCTUATION])
        if chain.speaker is not None:
            self._observe(library.spk_model, "inference", SPEAKER, None)
            self._count(library.spk_model, "forward", SPEAKER, devices[SPEAKER])
            voices = _one_speaker if SPEAKER in self._random else None
            self._observe(library.cb_model, "forward", SPEAKER, voices)

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From recordings to texts and turns."""
        asked = [self._spec.asked_for(utterance.language) for utterance in batch.utterances]
        answers, tokens = list[dict[str, Any]](), list[int]()
        turns, spoken = list[tuple[Turn, ...]](), list[str]()
        self._meter.begin(probe)
        with running(self._threads):
            for utterance, language in zip(batch.utterances, asked, strict=True):
                self._tokens.clear()
                self._stretches, self._said = (), []
                found = self._answer(np.array(utterance.audio), language or "auto")
                answers.append(found[0] if found else {"text": ""})  # where no word was heard
                tokens.append(sum(self._tokens) - sum(len(tags(text)) for text in self._said))
                spoken.append(self._said[0] if self._said else "")
                turns.append(self._turns(answers[-1].get("sentence_info") or ()))
        account = self._meter.end()
        return Transcription(
            texts=tuple(plain_text(str(answer["text"])) for answer in answers),
            tokens=tuple(tokens),
            audio_s=batch.durations_s,
            languages=told(self._spec, asked, spoken),
            turns=tuple(turns),
            account=account,
        )

    def _answer(self, audio: NDArray[np.float32], language: str) -> list[dict[str, Any]]:
        """What FunASR answers; nothing where it heard no word."""
        if audio.size < FRAME_SAMPLES:
            return []
        options = {"language": language, **self._options}
        return list(self._library.generate(input=[audio], **options))

    def _turns(self, sentences: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
        """FunASR's sentences; where it made none, the stretches of speech, without their texts."""
        named = SPEAKER in self._own_threads and SPEAKER not in self._random
        if not sentences:
            return tuple(Turn(start / 1000, end / 1000) for start, end in self._stretches)
        return tuple(
            Turn(
                max(0.0, sentence["start"] / 1000),
                max(0.0, sentence["start"] / 1000, sentence["end"] / 1000),
                str(sentence["spk"]) if named and "spk" in sentence else None,
                plain_text(str(sentence["text"])),
            )
            for sentence in sentences
        )

    def _recognised(self, found: Any, inputs: Any, options: Mapping[str, Any]) -> Any:
        """What the recogniser said, with an empty answer for each input where it gave none at all.

        It does so where it hears no word in a whole batch, which the chain would fail on.
        """
        if not (len(found) and len(found[0])):
            empty = [{"key": key, "text": "", "timestamp": []} for key in options["key"]]
            return empty, {"batch_data_time": -1}
        self._said += [str(answer["text"]) for answer in found[0]]
        return found

    def _found_speech(self, found: Answer, inputs: Any, options: Mapping[str, Any]) -> Answer:
        """What the voice activity found, or equal pieces where its weights are random."""
        heard = _equal_pieces(found, inputs) if VAD in self._random else found
        self._stretches = heard[0][0]["value"]
        return heard

    def _observe(
        self,
        owner: Any,
        method: str,
        module: str,
        instead: Callable[[Any, Any, Mapping[str, Any]], Any] | None,
    ) -> None:
        """Times a method of FunASR's.

        ``instead``: from what it found, and from what it was given, to what FunASR is told.
        """
        inner: Callable[..., Any] = getattr(owner, method)

        def called(*given: Any, **options: Any) -> Any:
            inputs = given[0] if given else options["data_in"]
            items = len(inputs) if method == "inference" else 0
            if module == RECOGNITION:
                self._meter.padded([len(piece) for piece in inputs])
            with self._meter.work(module, items), self._threads_of(module):
                found = inner(*given, **options)
            return found if instead is None else instead(found, inputs, options)

        setattr(owner, method, called)

    def _count(self, owner: Any, method: str, module: str, device: str) -> None:
        """Counts the bytes that go to an accelerator and back."""
        if not device.startswith("cpu"):
            watch_transfers(owner, method, partial(self._meter.moved, module))

    def _threads_of(self, module: str) -> AbstractContextManager[None]:
        """FunASR itself gives every module the recogniser's threads."""
        own = self._own_threads.get(module)
        return nullcontext() if own is None else running(own)


def _equal_pieces(found: Answer, inputs: Any) -> Answer:
    """Speech from beginning to end, in pieces of at most ``LONGEST_S``, in milliseconds."""
    (audio,) = inputs
    end_ms = len(audio) * 1000 // SAMPLE_RATE_HZ
    count = max(1, math.ceil(end_ms / 1000 / LONGEST_S))
    edges = [round(end_ms * number / count) for number in range(count + 1)]
    pieces = [[edges[number], edges[number + 1]] for number in range(count)]
    return [{**found[0][0], "value": pieces}], found[1]


def _no_marks(found: Answer, inputs: Any, options: Mapping[str, Any]) -> Answer:
    """The text as it was; FunASR then ends a turn where a stretch of speech ends."""
    (text,) = inputs
    return [{**found[0][0], "text": text, "punc_array": []}], found[1]


def _one_speaker(labels: Any, inputs: Any, options: Mapping[str, Any]) -> Any:
    """All windows are of one voice."""
    return np.zeros_like(np.asarray(labels))
