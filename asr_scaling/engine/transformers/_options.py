"""Which options of the engine make sense together, for which models, and on which devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_scaling.engine.transformers._compiled import MODES, compile_mode
from asr_scaling.engine.transformers._draft import draft_spec
from asr_scaling.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from asr_scaling.core.model_spec import ModelSpec
    from asr_scaling.core.ports import Device
    from asr_scaling.engine.transformers import Transformers


def check_options(engine: Transformers) -> None:
    """Raises ConfigError when options contradict one another, whatever the model."""
    mode = compile_mode(engine.compile)
    if mode is not None and mode not in MODES:
        raise ConfigError(
            f"engine.compile must be true, false or one of {', '.join(MODES)}; got '{mode}'."
        )
    contradictions = _of_the_loop if engine.decode == "loop" else _of_the_library
    for contradicts, reason in contradictions(engine):
        if contradicts:
            raise ConfigError(reason)


def _of_the_library(engine: Transformers) -> tuple[tuple[bool, str], ...]:
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
            bool(engine.draft) and engine.beam > 1,
            "engine.draft is greedy: leave out engine.beam.",
        ),
        (
            bool(engine.draft) and engine.cache != "dynamic",
            "engine.draft takes back keys and values of tokens it rejects: leave out engine.cache.",
        ),
    )


def _of_the_loop(engine: Transformers) -> tuple[tuple[bool, str], ...]:
    """Whether options contradict ``decode=loop``, and what to say then."""
    reduces = compile_mode(engine.compile) == "reduce-overhead"
    return (
        (
            engine.beam > 1,
            "engine.decode=loop is greedy: leave out engine.beam, or decode with "
            "engine.decode=library.",
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


def check_model(engine: Transformers, model: ModelSpec) -> None:
    """Raises EngineError when options need what ``model`` does not have."""
    if engine.draft:
        draft_spec(engine.draft, model)
    if model.window_s is not None:
        return
    for option, is_set in (
        ("long_form=false", not engine.long_form),
        ("window_margin_s", engine.window_margin_s is not None),
        ("decode=loop", engine.decode == "loop"),
    ):
        if is_set:
            raise EngineError(f"'{model.name}' has no window: leave out engine.{option}.")


def check_device(engine: Transformers, device: Device) -> None:
    """Raises EngineError when options need another device."""
    for option, is_set in (("cuda_graph", engine.cuda_graph), ("overlap", engine.overlap)):
        if is_set and device.kind != "cuda":
            raise EngineError(
                f"engine.{option} needs device=cuda, and this is {device.kind}: leave it out."
            )
    if compile_mode(engine.compile) == "reduce-overhead" and device.kind != "cuda":
        raise EngineError(
            f"engine.compile=reduce-overhead captures CUDA graphs, and this is {device.kind}: "
            "use engine.compile=default."
        )
