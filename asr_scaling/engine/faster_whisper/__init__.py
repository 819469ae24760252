"""faster-whisper: Whisper in CTranslate2, a C++ engine with weights in 8 or 16 bits."""

from __future__ import annotations

import time
from dataclasses import dataclass

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import one_of
from asr_scaling.core.ports import Capabilities, Device
from asr_scaling.engine._shared.decoding_options import DecodingOptions
from asr_scaling.engine._shared.log_mel import check_features, place_of
from asr_scaling.engine._shared.speech_system import SpeechSystem, facts_of, out_of_memory
from asr_scaling.engine._shared.whisper import check_whisper
from asr_scaling.errors import EngineError
from asr_scaling.machine.threads import threads

DTYPES = ("float32", "float16", "bfloat16", "int8")
_BY_DEFAULT = (
    "beam_fallback, but for two things: where all temperatures fail, the most probable text stays, "
    "and a window sees the text of the one before"
)
_WHOLE = "CTranslate2 decodes in one call and shows nothing of its steps"


@dataclass(frozen=True)
class FasterWhisper(DecodingOptions):
    """Options of the engine; the others are those of DecodingOptions.

    ``dtype``: of weights and arithmetic; int8 keeps matrices in 8 bits, and the rest in float32 on
    a CPU and in float16 on a GPU.
    ``features``: "library" for the extractor of transformers, "device" to compute the features on
    the device (_shared/log_mel.py).
    """

    dtype: str = "float32"
    features: str = "library"

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, DTYPES)
        super().__post_init__()
        check_features(self.features)

    @property
    def capabilities(self) -> Capabilities:
        """How ``WhisperModel.transcribe`` decodes by default."""
        return Capabilities(decoding=_BY_DEFAULT)

    def check(self, model: ModelSpec) -> None:
        """Whisper and its students."""
        check_whisper(model, "faster_whisper", "faster_whisper", "ctranslate2")

    def check_device(self, device: Device) -> None:
        """CTranslate2 has the arithmetic of ``dtype`` on some devices only."""
        self._compute_type(device)

    def load(self, model: ModelSpec, device: Device) -> SpeechSystem:
        """Convert where that was never done, then load onto the device."""
        import faster_whisper

        from asr_scaling.engine.faster_whisper._files import ctranslate2_files
        from asr_scaling.engine.faster_whisper._speech import Speech

        compute = self._compute_type(device)
        files = ctranslate2_files(model, self.dtype, self.seed)
        start = time.perf_counter()
        with out_of_memory(model):
            library = faster_whisper.WhisperModel(
                str(files.folder),
                device=device.kind,
                device_index=int(device.torch_name.partition(":")[2] or 0),
                compute_type=compute,
                cpu_threads=threads(),
            )
        load_s = time.perf_counter() - start
        details = {"compute_type": compute}
        facts = facts_of(files, self.dtype, load_s, details, unobservable=_hidden(device))
        place = place_of(self.features, device)
        return SpeechSystem(model, facts, Speech(model, self, library, files, place))

    def _compute_type(self, device: Device) -> str:
        """CTranslate2's name of the arithmetic.

        Raises EngineError when the device does not have it.
        """
        import ctranslate2

        try:
            offered = sorted(ctranslate2.get_supported_compute_types(device.kind))
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"CTranslate2 can't use device={device.kind} here ({error}): use device=cpu."
            ) from error
        available = {dtype: name for dtype in DTYPES if (name := _name(dtype, device)) in offered}
        if self.dtype not in available:
            raise EngineError(
                f"CTranslate2 can't compute in engine.dtype={self.dtype} on {device.torch_name}: "
                f"choose one of {', '.join(available)}."
            )
        return available[self.dtype]


def _name(dtype: str, device: Device) -> str:
    """``dtype`` as CTranslate2 calls it on ``device``."""
    if dtype != "int8":
        return dtype
    return "int8_float16" if device.kind == "cuda" else "int8_float32"


def _hidden(device: Device) -> dict[str, str]:
    hidden = {"latency/first_token_s": _WHOLE, "latency/per_token_s": _WHOLE}
    if device.kind != "cpu":
        why = "CTranslate2 allocates the GPU's memory itself, past torch, whose meter this is"
        hidden |= {"memory/peak_device_bytes": why, "memory/activations_bytes": why}
    return hidden
