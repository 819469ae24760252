"""whisper.cpp through pywhispercpp: Whisper in C++ for CPUs, one utterance after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import must_work, one_of
from asr_scaling.core.ports import Capabilities, Device
from asr_scaling.engine._shared.decoding_options import DecodingOptions
from asr_scaling.engine._shared.speech_system import SpeechSystem, facts_of, out_of_memory
from asr_scaling.engine._shared.whisper import check_whisper
from asr_scaling.errors import EngineError
from asr_scaling.machine.threads import threads

DTYPES = ("float16", "int8")
_BY_DEFAULT = (
    "fallback, as pywhispercpp does, and beam_fallback by whisper-cli; entropy of the last tokens "
    "stands for the compression ratio"
)
_MOST = 8
"""Texts of an utterance that whisper.cpp decodes at once (WHISPER_MAX_DECODERS)."""
_WARM = (
    "whisper.cpp shows no logits: at a temperature above 0 its log-probabilities are of the "
    "distribution at that temperature, and its draws don't begin from engine.seed."
)
_ALONE = (
    "whisper.cpp decodes no batches: the utterances of a batch were decoded one after the other."
)


@dataclass(frozen=True)
class WhisperCpp(DecodingOptions):
    """Options of the engine; the others are those of DecodingOptions.

    ``dtype``: of the matrices, float16 or int8 (ggml's q8_0).
    """

    dtype: str = "float16"

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, DTYPES)
        super().__post_init__()
        for name in ("beam", "best_of"):
            most = getattr(self.decoding, name)
            remedy = f"whisper.cpp decodes at most {_MOST} texts of an utterance at once"
            must_work(f"decoding.{name}", most, most <= _MOST, remedy)

    @property
    def capabilities(self) -> Capabilities:
        """How whisper.cpp decodes by default."""
        return Capabilities(decoding=_BY_DEFAULT)

    def check(self, model: ModelSpec) -> None:
        """Whisper and its students."""
        check_whisper(model, "whisper_cpp", "pywhispercpp", "_pywhispercpp")
        sizes = model.architecture
        if {sizes["encoder_ffn_dim"], sizes["decoder_ffn_dim"]} != {4 * sizes["d_model"]}:
            raise EngineError(
                f"whisper.cpp takes inner layers to be four times as wide as the others, and "
                f"those of '{model.name}' are not: use another engine."
            )

    def load(self, model: ModelSpec, device: Device) -> SpeechSystem:
        """Convert where that was never done, then load."""
        from asr_scaling.engine.whisper_cpp._library import ggml_files, load_context
        from asr_scaling.engine.whisper_cpp._speech import Speech

        if device.kind != "cpu":
            raise EngineError(
                f"pywhispercpp computes on the CPU, not on {device.torch_name}: use device=cpu."
            )
        files = ggml_files(model, self.dtype, self.seed)
        start = time.perf_counter()
        with out_of_memory(model):
            context = load_context(files.folder)
        load_s = time.perf_counter() - start
        notes = (_ALONE, _WARM) if self.decoding.falls_back else (_ALONE,)
        facts = facts_of(files, self.dtype, load_s, notes=notes)
        speech = Speech(model, self, facts.random, context, threads())
        return SpeechSystem(model, facts, speech, speech.free)
