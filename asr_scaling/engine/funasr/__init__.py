"""FunASR: Paraformer and SenseVoice by the package they come with, alone or in its own chain."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import must_be, one_of
from asr_scaling.core.ports import Batching, Capabilities, Device, Fitting, option_of
from asr_scaling.engine._shared.speech_system import Speech, out_of_memory
from asr_scaling.engine.funasr._chain import Chain, facts_of_modules
from asr_scaling.engine.funasr._speech import FunAsrSystem
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.machine.threads import threads
from asr_scaling.model.funasr_layouts import FAMILIES

DTYPES = ("float32",)


@dataclass(frozen=True)
class FunAsr:
    """Options of the engine.

    ``dtype``: of weights and arithmetic.
    ``ncpu``: threads on a processor; None for as many as the device has. FunASR sets them for the
    whole process, at every call; here they are set back when the call is over.
    ``batch_size_s``: seconds of audio, with padding, that its chain recognises at once; None for
    what FunASR does by itself: 300 on a GPU, and one piece after the other on a processor.
    ``batch_size_threshold_s``: a piece of so many seconds is recognised alone in its chain.
    ``seed``: of random weights.
    ``chain``: modules of FunASR's around the recogniser; None for the recogniser alone, which
    takes each batch as a whole.
    """

    dtype: str = "float32"
    ncpu: int | None = None
    batch_size_s: int | None = None
    batch_size_threshold_s: int = 60
    seed: int = 42
    chain: Chain | None = None

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, DTYPES)
        fits = self.ncpu is None or self.ncpu >= 1
        must_be("engine.ncpu", self.ncpu, fits, "at least 1 or null")
        fits = self.batch_size_s is None or self.batch_size_s >= 1
        must_be("engine.batch_size_s", self.batch_size_s, fits, "at least 1 or null")
        seconds = self.batch_size_threshold_s
        must_be("engine.batch_size_threshold_s", seconds, seconds >= 1, "at least 1")

    @property
    def capabilities(self) -> Capabilities:
        """Its weights are not on the hub that a sweep asks before its jobs begin."""
        return Capabilities(reads_weights=False, decoding="the best token, in one pass")

    def check(self, model: ModelSpec) -> None:
        """Paraformer and SenseVoice."""
        if model.family not in FAMILIES:
            raise EngineError(
                f"engine=funasr runs Paraformer and SenseVoice, and '{model.name}' is a "
                f"'{model.model_type}': use engine=transformers."
            )
        from asr_scaling.model.funasr_package import package

        package()
        if self.chain is not None:
            self.chain.check()

    def chained(
        self, vad: Any, punctuation: Any, speaker: Any, batch: Batching | Fitting
    ) -> FunAsr | None:
        """An engine that runs these modules in FunASR's own chain; None where FunASR can't.

        ``vad``, ``punctuation``, ``speaker``: None where there is none.
        ``batch``: what it recognises at once of what its voice activity finds; FunASR counts it in
        seconds.
        Raises ConfigError where FunASR can't batch so.
        """
        chain = Chain(vad, punctuation, speaker)
        if not chain.possible:
            return None
        seconds = None if vad is None else option_of(batch, "seconds")
        if vad is not None and seconds is None and (option_of(batch, "size") or 1) > 1:
            raise ConfigError(
                "FunASR's own chain batches by seconds of audio, not by a number of segments: say "
                "batch=seconds, or batch=1 with engine.batch_size_s."
            )
        if seconds is not None and self.batch_size_s not in (None, int(seconds)):
            raise ConfigError(
                f"batch.seconds={seconds:g} and engine.batch_size_s={self.batch_size_s} say the "
                "same of FunASR's own chain: leave one out."
            )
        size = self.batch_size_s if seconds is None else max(1, int(seconds))
        return replace(self, chain=chain, batch_size_s=size)

    def load(self, model: ModelSpec, device: Device) -> FunAsrSystem:
        """Find the weights, or make random ones where that was never done; then load."""
        from asr_scaling.engine.funasr._chained import ChainedSpeech
        from asr_scaling.engine.funasr._speech import Recogniser
        from asr_scaling.model.funasr_modules import auto_model, facts_of
        from asr_scaling.model.funasr_weights import recogniser_weights

        weights = recogniser_weights(model, self.seed)
        chain, count = self.chain or Chain(), self.ncpu or threads()
        others, place = chain.weights(), self._place(device)
        start = time.perf_counter()
        with out_of_memory(model, f"the memory of {device.torch_name}"):
            options = chain.options(others, device.torch_name)
            library = auto_model(weights, place, count, self.seed, **options)
        facts = facts_of(weights, library, time.perf_counter() - start)
        details: dict[str, Any] = {"network": model.model_type, "ncpu": count, "place": place}
        if others:
            details["modules"] = facts_of_modules(library, others)
        speech: Speech
        if self.chain is None:
            speech = Recogniser(model, library, count)
        else:
            speech = ChainedSpeech(
                model,
                library,
                chain=chain,
                weights=others,
                device=device.torch_name,
                threads=count,
                options=self._of_each_call(),
            )
        facts = replace(facts, details=details, notes=chain.notes(others))
        return FunAsrSystem(model, facts, speech, library.model)

    def _place(self, device: Device) -> str:
        """The device's name for FunASR.

        On "cpu" its chain takes batch_size_s for 0, so that each piece is a call of its own; the
        same processor under the name "cpu:0" is batched like a GPU.
        """
        batched = device.kind == "cpu" and self.batch_size_s is not None
        return "cpu:0" if batched else device.torch_name

    def _of_each_call(self) -> dict[str, Any]:
        """What FunASR's chain is told at every call."""
        size = {} if self.batch_size_s is None else {"batch_size_s": self.batch_size_s}
        threshold = {"batch_size_threshold_s": self.batch_size_threshold_s}
        return {**size, **threshold, "sentence_timestamp": True}
