"""The engine's options, and which of them make sense together, for which models and devices."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import one_of
from asr_scaling.core.ports import Change, Device
from asr_scaling.engine._shared.decoding_options import DecodingOptions, check_decoding
from asr_scaling.engine._shared.log_mel import check_features
from asr_scaling.engine.transformers._compiled import MODES, compile_mode
from asr_scaling.engine.transformers._draft import draft_spec
from asr_scaling.errors import ConfigError, EngineError

DTYPES = ("float32", "bfloat16", "float16")
ATTENTION = ("eager", "sdpa", "flash_attention_2")
CACHES = ("dynamic", "static", "none")
DECODES = ("library", "loop")


@dataclass(frozen=True)
class TransformersOptions(DecodingOptions):
    """Options of the engine; the others are those of DecodingOptions.

    ``dtype``: of weights and arithmetic, one of DTYPES.
    ``attention``: sdpa, eager or flash_attention_2.
    ``compile``: torch.compile the encoder and the decoding step; True for the default mode, or one
    of MODES (_compiled.py).
    ``cache``: of keys and values: dynamic, static or none.
    ``decode``: "library" for the library's ``generate``, "loop" for this package's own greedy loop
    over Whisper's windows (_greedy_decoding.py); audio beyond a window always goes through the
    library.
    ``features``: "library" for the library's extractor, "device" to compute them on the device.
    ``cuda_graph``: capture the loop's step as a CUDA graph and replay it.
    ``overlap``: a GPU encodes a part of the batch while features of the next part are computed.
    ``draft``: a smaller model that proposes tokens, which this model only checks; None for none.
    ``changes``: what optimisations do to the network once it is loaded.
    """

    dtype: str = "float32"
    attention: str = "sdpa"
    compile: bool | str | None = False
    cache: str = "dynamic"
    decode: str = "library"
    features: str = "library"
    cuda_graph: bool = False
    overlap: bool = False
    draft: str | None = None
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, DTYPES)
        one_of("engine.attention", self.attention, ATTENTION)
        one_of("engine.cache", self.cache, CACHES)
        one_of("engine.decode", self.decode, DECODES)
        check_features(self.features)
        super().__post_init__()
        self._check_contradictions()

    def _check_contradictions(self) -> None:
        mode = compile_mode(self.compile)
        if mode is not None and mode not in MODES:
            raise ConfigError(
                f"engine.compile must be true, false or one of {', '.join(MODES)}; got '{mode}'."
            )
        contradictions = _of_the_loop if self.decode == "loop" else _of_the_library
        for contradicts, reason in contradictions(self):
            if contradicts:
                raise ConfigError(reason)

    def check_model(self, model: ModelSpec) -> None:
        """Raises EngineError when options need what ``model`` does not have."""
        check_decoding(model, self.decoding)
        if self.draft:
            draft_spec(self.draft, model)
        if model.window_s is not None:
            return
        for option, is_set in (
            ("long_form=false", not self.long_form),
            ("window_margin_s", self.window_margin_s is not None),
            ("decode=loop", self.decode == "loop"),
        ):
            if is_set:
                raise EngineError(f"'{model.name}' has no window: leave out engine.{option}.")

    def check_device(self, device: Device) -> None:
        """Raises EngineError when options need another device."""
        for option, is_set in (("cuda_graph", self.cuda_graph), ("overlap", self.overlap)):
            if is_set and device.kind != "cuda":
                raise EngineError(
                    f"engine.{option} needs device=cuda, and this is {device.kind}: leave it out."
                )
        if compile_mode(self.compile) == "reduce-overhead" and device.kind != "cuda":
            raise EngineError(
                f"engine.compile=reduce-overhead captures CUDA graphs, and this is {device.kind}: "
                "use engine.compile=default."
            )


def _of_the_library(engine: TransformersOptions) -> tuple[tuple[bool, str], ...]:
    """Whether options contradict ``decode=library``, and what to say then."""
    needs = "needs engine.decode=loop"
    return (
        (
            engine.window_margin_s is not None,
            f"engine.window_margin_s {needs}: the library's generate always encodes 30 s.",
        ),
        (
            engine.cuda_graph,
            f"engine.cuda_graph {needs}: the library's steps change their shapes.",
        ),
        (
            engine.overlap,
            f"engine.overlap {needs}: the library's generate takes the features of the whole "
            "batch.",
        ),
        (
            engine.features == "device",
            f"engine.features=device {needs}: the library's extractor computes on the host.",
        ),
        (
            bool(engine.draft) and not engine.decoding.greedy,
            f"engine.draft is greedy: leave out decoding={engine.decoding.name}.",
        ),
        (
            bool(engine.draft) and engine.cache != "dynamic",
            "engine.draft takes back keys and values of tokens it rejects: leave out engine.cache.",
        ),
    )


def _of_the_loop(engine: TransformersOptions) -> tuple[tuple[bool, str], ...]:
    """Whether options contradict ``decode=loop``, and what to say then."""
    mode = compile_mode(engine.compile)
    reduces = mode == "reduce-overhead"
    return (
        (
            engine.decoding.beam > 1,
            f"engine.decode=loop has no beams: leave out decoding={engine.decoding.name}, or "
            "decode with engine.decode=library.",
        ),
        (
            engine.decoding.falls_back and (engine.cuda_graph or mode not in (None, "regional")),
            f"decoding={engine.decoding.name} needs probabilities and samples, and a step that is "
            "compiled or captured gives the most likely token only: leave out engine.compile and "
            "engine.cuda_graph.",
        ),
        (
            engine.cache != "dynamic",
            "engine.decode=loop keeps keys and values in its own way: leave out engine.cache.",
        ),
        (
            engine.attention != "sdpa",
            "engine.decode=loop computes attention by sdpa: leave out engine.attention.",
        ),
        (
            bool(engine.draft),
            "engine.draft needs engine.decode=library, which checks several tokens in one step.",
        ),
        (
            reduces and engine.cuda_graph,
            "engine.cuda_graph and engine.compile=reduce-overhead both capture CUDA graphs: "
            "choose one.",
        ),
        (
            reduces and engine.overlap,
            "engine.compile=reduce-overhead reuses its memory before engine.overlap is done: "
            "choose one.",
        ),
    )
