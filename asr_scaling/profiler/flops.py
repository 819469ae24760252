"""Floating-point operations and bytes moved, counted while they run, attention included."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.call_summary import NO_STEPS
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import AudioBatch
from asr_scaling.profiler._bytes_moved import byte_counter
from asr_scaling.profiler._figures import Figures, findings_of, nothing_of

_STAGE = ("flops/{}", "bytes/{}", "bytes/{}_weights")
"""Metrics of a stage: operations, all bytes moved, and those of them that are weights."""
_STEP = tuple(name.format(f"decoder_{part}") for part in ("first", "step") for name in _STAGE)
_THOP = "flops/encoder_thop"
_METRICS = (*(name.format("encoder") for name in _STAGE), "flops/utterance", _THOP, *_STEP)
_TAGS = {
    "flops/method": "counted by torch.utils.flop_counter",
    "bytes/method": "counted per operator: operands read once, results written once, "
    "no cache between operators",
}
_NO_MODULES = "the engine shows no torch modules to count"
_PACKED = "8-bit weights are packed where torch's operators don't show them"
_REPLACED = "thop does not know the modules that an optimisation put in"
_Counts = NDArray[np.int64]
"""What was counted, in the order of ``_STAGE``."""
_NOTHING: _Counts = np.zeros(len(_STAGE), np.int64)


@dataclass(frozen=True)
class Flops:
    """Counts one call on the longest utterance; a multiply-add is two operations."""

    name: str = field(default="flops", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def measure(self, session: Session) -> Findings:
        """Counts of the encoder, of one decoding step and of the whole utterance.

        The encoder is also counted by thop, times 2, the convention of studies.
        """
        modules = session.system.modules
        if not modules:
            return nothing_of(_METRICS, _NO_MODULES)
        longest = max(session.workload.utterances, key=lambda u: u.duration_s)
        batch = AudioBatch((longest,))
        seen: list[tuple[Any, Any]] = []
        hook = modules["encoder"].register_forward_pre_hook(
            lambda _, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
        )
        try:
            probe = self._count(session, batch)
        finally:
            hook.remove()
        figures: Figures = {
            "flops/utterance": Metric(
                "flops/utterance", int(sum(probe.by_stage.values(), _NOTHING)[0]), 1
            ),
            "flops/audio_s": Metric("flops/audio_s", longest.duration_s),
        }
        figures |= _stage_figures("encoder", probe.by_stage["encoder"], 1)
        if steps := len(probe.steps):
            figures |= _stage_figures("decoder_first", probe.first, 1)
            figures |= _stage_figures("decoder_step", sum(probe.steps, _NOTHING) / steps, steps)
        else:
            figures |= dict.fromkeys(_STEP, NO_STEPS)
        parts = (part for module in modules.values() for part in module.modules())
        if any(hasattr(part, "packed_bytes") for part in parts):
            shown = [name for name, figure in figures.items() if isinstance(figure, Metric)]
            figures |= {name: _PACKED for name in shown if name.startswith("bytes/")}
        replaced = (session.system.facts.details or {}).get("changes")
        figures[_THOP] = _REPLACED if replaced else _thop_figure(modules["encoder"], seen)
        return findings_of(figures, tags=_TAGS)

    def _count(self, session: Session, batch: AudioBatch) -> _CountingProbe:
        with byte_counter(session.system.modules) as traffic, _counter() as counter:
            probe = _CountingProbe(
                lambda: np.array([counter.get_total_flops(), traffic.moved, traffic.weights])
            )
            session.transcribe(batch, probe)
            probe.stage("end")
        return probe


def _stage_figures(stage: str, counts: NDArray[Any], n: int) -> Figures:
    """The three figures of ``stage``, each of ``n`` values."""
    names = [name.format(stage) for name in _STAGE]
    return {
        name: Metric(name, count, n) for name, count in zip(names, counts.tolist(), strict=True)
    }


class _CountingProbe:
    """Attributes what was counted since the last mark to the stage under way.

    ``steps``: counts of each decoding step after the first.
    ``first``: counts of the first step of every window. It also reads the prompt and projects the
    encoder's output to keys and values, so it belongs to the utterance and not to a step.
    """

    def __init__(self, read: Callable[[], _Counts]) -> None:
        self._read = read
        self._current, self._before = "other", _NOTHING
        self._last_step: _Counts | None = None
        self.first = _NOTHING
        self.by_stage = defaultdict[str, _Counts](_NOTHING.copy)
        self.steps: list[_Counts] = []

    def stage(self, name: str) -> None:
        total = self._read()
        self.by_stage[self._current] += total - self._before
        self._current, self._before = name, total
        self._last_step = None

    def token(self) -> None:
        total = self._read()
        if self._last_step is None:
            self.first = self.first + total - self._before
        else:
            self.steps.append(total - self._last_step)
        self._last_step = total


def _counter() -> Any:
    """torch's counter, with the CPU's fused attention, which it lacks (torch 2.13)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(
        query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any
    ) -> int:
        return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]

    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={fused: attention})


def _thop_figure(encoder: Any, calls: list[tuple[Any, Any]]) -> Metric | str:
    """thop's count of all ``calls``, each as large as the first, or why there is none."""
    try:
        return Metric(_THOP, _thop(encoder, *calls[0]) * len(calls), 1)
    except Exception as error:  # thop knows few kinds of module and fails in many ways
        return f"thop failed: {type(error).__name__}: {error}"


def _thop(encoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """thop's multiply-adds × 2 for the same inputs, on a copy, since thop leaves buffers behind.

    Tensors without data are tried first, since thop needs shapes only. An encoder that looks at its
    mask needs real ones.
    """
    try:
        held = (*encoder.parameters(), *encoder.buffers())
        tensors = {id(tensor): _meta(tensor) for tensor in held}
        return _profiled(copy.deepcopy(encoder, tensors), _meta(args), _meta(kwargs))
    except RuntimeError:
        return _profiled(copy.deepcopy(encoder), args, kwargs)


def _profiled(encoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    import torch
    from thop import profile

    encoder._forward_pre_hooks.clear()
    encoder._forward_hooks.clear()

    class Call(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, *inputs: Any) -> Any:
            return self.encoder(*inputs, **kwargs)

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # thop calls distutils, long deprecated
        macs, _ = profile(Call(), inputs=args, verbose=False)
    return 2.0 * float(macs)


def _meta(value: Any) -> Any:
    """``value`` with every tensor replaced by one of the same shape and type that holds nothing."""
    import torch

    if isinstance(value, torch.nn.Parameter):
        return torch.nn.Parameter(value.to("meta"), requires_grad=False)
    if isinstance(value, torch.Tensor):
        return value.to("meta")
    if isinstance(value, Mapping):
        return {key: _meta(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_meta(entry) for entry in value)
    return value
