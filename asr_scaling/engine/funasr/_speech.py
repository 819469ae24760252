"""From samples to texts with a recogniser of FunASR alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import NullProbe, Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.speech_system import Speech, SpeechSystem
from asr_scaling.engine.funasr._texts import plain_text, spoken_language, tags
from asr_scaling.engine.funasr._watched import Watched
from asr_scaling.model.funasr_layouts import FRAME_SAMPLES
from asr_scaling.model.funasr_package import running
from asr_scaling.util.groups import grouped


class FunAsrSystem(SpeechSystem):
    """A loaded ``AutoModel``.

    ``network``: the recogniser, a torch module, so that its operators can be counted.
    """

    def __init__(self, model: ModelSpec, facts: SystemFacts, speech: Speech, network: Any) -> None:
        super().__init__(model, facts, speech)
        self._network: Any = network

    @property
    def modules(self) -> Mapping[str, Any]:
        """The recogniser, and its encoder alone; empty once it is closed."""
        if self._network is None:
            return {}
        return {"model": self._network, "encoder": self._network.encoder}

    def close(self) -> None:
        """Drops the networks."""
        super().close()
        self._network = None


class Recogniser:
    """``AutoModel`` without other modules: a batch is one call of the network."""

    def __init__(self, spec: ModelSpec, library: Any, threads: int) -> None:
        self._spec, self._library = spec, library
        self._threads = threads
        self._watched = Watched(library)

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """Utterances of one language at a time, since a call has one."""
        asked = [self._spec.asked_for(utterance.language) for utterance in batch.utterances]
        said = [""] * len(batch)
        tokens = [0] * len(batch)
        self._watched.probe = probe
        try:
            with running(self._threads):
                for language, places in grouped(range(len(batch)), asked.__getitem__).items():
                    answers = self._answers(batch, places, language, probe)
                    for place, (text, count) in zip(places, answers, strict=True):
                        said[place], tokens[place] = text, count
        finally:
            self._watched.probe = NullProbe()
        return Transcription(
            texts=tuple(map(plain_text, said)),
            tokens=tuple(tokens),
            audio_s=batch.durations_s,
            languages=told(self._spec, asked, said),
        )

    def _answers(
        self, batch: AudioBatch, places: Sequence[int], language: str | None, probe: Probe
    ) -> list[tuple[str, int]]:
        """What is said in the utterances at ``places``, and in how many tokens."""
        probe.stage("features")
        self._watched.tokens.clear()
        audio = [at_least_a_frame(batch.utterances[place].audio) for place in places]
        answers = self._library.generate(
            input=audio, batch_size=len(audio), language=language or "auto"
        )
        if not answers:  # Paraformer answers nothing where it hears no word in the whole batch
            return [("", 0)] * len(audio)
        texts = [str(answer["text"]) for answer in answers]
        counts = self._watched.tokens
        return [(text, n - len(tags(text))) for text, n in zip(texts, counts, strict=True)]


def at_least_a_frame(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy, since torch warns of arrays that can't be written; silence fills a short one."""
    return np.pad(audio, (0, max(0, FRAME_SAMPLES - audio.size)))


def told(spec: ModelSpec, asked: Sequence[str | None], said: Sequence[str]) -> tuple[str, ...]:
    """The language of each, for the transcription; empty where one is not asked for nor told."""
    if spec.family != "sensevoice":
        return ()
    spoken = [code or spoken_language(text) for code, text in zip(asked, said, strict=True)]
    return tuple(code for code in spoken if code) if all(spoken) else ()
