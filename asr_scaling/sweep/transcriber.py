"""A recommendation in use: ``load_system("recommended.yaml").transcribe("speech.wav")``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.ports import Batching, Fitting, NullProbe, System
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, Utterance, each_once
from asr_scaling.errors import ConfigError, DataError, EngineError
from asr_scaling.sweep.described_system import described, loaded, options_in, unread

Audio = NDArray[np.float32] | str | Path
"""Mono float32 samples at 16 kHz, full scale 1, or the path of an audio file of any rate."""
_FULL_SCALE = 10.0
"""Samples beyond it are integers that were never scaled (as dataset/_audio.py has it for files)."""


def load_system(config: str | Path, language: str | None = None) -> Transcriber:
    """Load the system that a YAML of ``python -m asr_scaling recommend`` describes.

    Its optimisations are at work. Any configuration that ``--config-name`` runs will do.

    language: of the speech: a code such as "de"; "auto" to have the language of each audio
        recognised; None for what the configuration says.

    Raises ConfigError when the file is no such configuration, or when its model does not know the
    language, WeightsError when its weights would
    be random, and whatever its engine and device raise.
    """
    plain = options_in(Path(config))
    if language is not None:
        plain["model"]["language"] = language
    spec = described(plain)
    if isinstance(spec.batch, Fitting):
        raise ConfigError(
            "batch=max finds its size by measuring: choose batch: fixed and set batch.size."
        )
    return Transcriber(loaded(spec), spec.batch)


class Transcriber:
    """A loaded system, which transcribes in the batches that it was recommended with.

    Use it in a ``with`` block, or ``close`` it.

    facts: what was loaded and where its weights are from.
    batch_size: the most utterances in a call of the system.
    """

    def __init__(self, system: System, batching: Batching) -> None:
        self._system: System | None = system
        self._batching = batching
        self.facts = system.facts
        self.batch_size = batching.size

    @overload
    def transcribe(  # type: ignore[overload-overlap]
        self, audio: Audio, rate_hz: int = ...
    ) -> str: ...
    @overload
    def transcribe(self, audio: Sequence[Audio], rate_hz: int = ...) -> list[str]: ...

    def transcribe(
        self, audio: Audio | Sequence[Audio], rate_hz: int = SAMPLE_RATE_HZ
    ) -> str | list[str]:
        """The text of ``audio``; of a list or tuple the texts in its order.

        rate_hz: of arrays of samples; files are resampled.

        Raises DataError for audio that can't be transcribed whole, EngineError after ``close``.
        """
        if self._system is None:
            raise EngineError("This system is closed: load it again with load_system.")
        if not isinstance(audio, (list, tuple)):
            single = _utterance("the audio", audio, rate_hz)  # type: ignore[arg-type]
            return self._texts([single])[0]
        return self._texts(
            [_utterance(f"audio {number}", item, rate_hz) for number, item in enumerate(audio)]
        )

    def _texts(self, utterances: Sequence[Utterance]) -> list[str]:
        texts: dict[str, str] = {}
        for batch in each_once(self._batching.batches(utterances) if utterances else ()):
            texts |= self._call(batch)
        return [texts[utterance.id] for utterance in utterances]

    def _call(self, batch: AudioBatch) -> Mapping[str, str]:
        assert self._system is not None
        result = self._system.transcribe(batch, NullProbe())
        for utterance, seconds in zip(batch.utterances, result.audio_s, strict=True):
            if why := unread(utterance.duration_s, seconds, "load"):
                raise DataError(f"{utterance.id} {why}")
        ids = [utterance.id for utterance in batch.utterances]
        return dict(zip(ids, result.texts, strict=True))

    def close(self) -> None:
        """Give all memory back. May be called twice."""
        system, self._system = self._system, None
        if system is not None:
            system.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _utterance(name: str, audio: Audio, rate_hz: int) -> Utterance:
    """``audio`` as the engines take it. Raises DataError for audio that can't be used."""
    if isinstance(audio, (str, Path)):
        from asr_scaling.dataset._audio import load_audio

        return Utterance(name, load_audio(audio, str(audio)), "")
    if not isinstance(audio, np.ndarray):
        raise DataError(
            f"{name} is a {type(audio).__name__}: "
            "give a numpy array of samples or the path of a file."
        )
    if audio.ndim != 1:
        shape = list(audio.shape)
        raise DataError(
            f"{name} has the shape {shape}: give mono samples, as in audio.mean(axis=1)."
        )
    if audio.dtype != np.float32:
        raise DataError(f"{name} is {audio.dtype}: give float32 samples with a full scale of 1.")
    if rate_hz != SAMPLE_RATE_HZ:
        raise DataError(
            f"{name} has {rate_hz} samples a second: resample it to {SAMPLE_RATE_HZ}, "
            "or give a file's path."
        )
    if not audio.size:
        raise DataError(f"{name} is empty: give at least one sample.")
    if not np.isfinite(audio).all():
        raise DataError(f"{name} holds NaN or infinite samples: export it again.")
    if (peak := float(np.abs(audio).max())) > _FULL_SCALE:
        raise DataError(f"{name} has samples up to {peak:.3g}: scale it so that full scale is 1.")
    return Utterance(name, audio.view(), "")
