"""Floating-point operations and bytes moved, counted while they run, attention included."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings, Metric
from asr_scaling.core.workload import AudioBatch
from asr_scaling.profiler._bytes import byte_counter

_STEP = (
    *(
        "flops/decoder_first",
        "flops/decoder_step",
        "bytes/decoder_first",
        "bytes/decoder_first_weights",
    ),
    *("bytes/decoder_step", "bytes/decoder_step_weights"),
)
_METRICS = (
    "flops/encoder",
    "flops/utterance",
    "flops/encoder_thop",
    "bytes/encoder",
    "bytes/encoder_weights",
    *_STEP,
)
_TAGS = {
    "flops/method": "counted by torch.utils.flop_counter",
    "bytes/method": "counted per operator: operands read once, results written once, "
    "no cache between operators",
}
_NO_MODULES = "the engine shows no torch modules to count"
_PACKED = "8-bit weights are packed where torch's operators don't show them"


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
            return Findings(unavailable=dict.fromkeys(_METRICS, _NO_MODULES))
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
        encoder = probe.by_stage.get("encoder", Count())
        metrics = [
            Metric("flops/utterance", sum(count.flops for count in probe.by_stage.values()), 1),
            Metric("flops/audio_s", longest.duration_s),
            *encoder.metrics("encoder", 1),
        ]
        unavailable: dict[str, str] = {}
        if steps := len(probe.steps):
            metrics += probe.first.metrics("decoder_first", 1)
            metrics += (sum(probe.steps, Count()) / steps).metrics("decoder_step", steps)
        else:
            unavailable = dict.fromkeys(_STEP, "the model does not decode step by step")
        if any(
            hasattr(part, "packed_bytes")
            for module in modules.values()
            for part in module.modules()
        ):
            unavailable |= {
                metric.name: _PACKED for metric in metrics if metric.name.startswith("bytes/")
            }
        if (session.system.facts.details or {}).get("changes"):
            unavailable["flops/encoder_thop"] = (
                "thop does not know the modules that an optimisation put in"
            )
        else:
            try:
                metrics.append(
                    Metric("flops/encoder_thop", _thop(modules["encoder"], *seen[0]) * len(seen), 1)
                )
            except Exception as error:  # thop knows few kinds of module and fails in many ways
                unavailable["flops/encoder_thop"] = f"thop failed: {type(error).__name__}: {error}"
        known = tuple(metric for metric in metrics if metric.name not in unavailable)
        return Findings(known, unavailable, tags=_TAGS)

    def _count(self, session: Session, batch: AudioBatch) -> _CountingProbe:
        with byte_counter(session.system.modules) as traffic, _counter() as counter:
            probe = _CountingProbe(
                lambda: Count(counter.get_total_flops(), traffic.moved, traffic.weights)
            )
            session.transcribe(batch, probe)
            probe.stage("end")
        return probe


@dataclass(frozen=True)
class Count:
    """Operations, all bytes that operators moved, and those of them that are weights."""

    flops: float = 0
    moved: float = 0
    weights: float = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.flops + other.flops, self.moved + other.moved, self.weights + other.weights
        )

    def __sub__(self, other: Count) -> Count:
        return Count(
            self.flops - other.flops, self.moved - other.moved, self.weights - other.weights
        )

    def __truediv__(self, n: int) -> Count:
        return Count(self.flops / n, self.moved / n, self.weights / n)

    def metrics(self, stage: str, n: int) -> list[Metric]:
        """The three figures of ``stage``, each of ``n`` values."""
        return [
            Metric(f"flops/{stage}", self.flops, n),
            Metric(f"bytes/{stage}", self.moved, n),
            Metric(f"bytes/{stage}_weights", self.weights, n),
        ]


class _CountingProbe:
    """Attributes what was counted since the last mark to the stage under way.

    ``steps``: counts of each decoding step after the first.
    ``first``: counts of the first step of every window. It also reads the prompt and projects the
    encoder's output to keys and values, so it belongs to the utterance and not to a step.
    """

    def __init__(self, read: Callable[[], Count]) -> None:
        self._read = read
        self._current, self._before = "other", Count()
        self._last_step: Count | None = None
        self.first = Count()
        self.by_stage: dict[str, Count] = {}
        self.steps: list[Count] = []

    def stage(self, name: str) -> None:
        total = self._read()
        self.by_stage[self._current] = (
            self.by_stage.get(self._current, Count()) + total - self._before
        )
        self._current, self._before = name, total
        self._last_step = None

    def token(self) -> None:
        total = self._read()
        if self._last_step is None:
            self.first += total - self._before
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


def _thop(encoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """thop's multiply-adds × 2 for the same inputs, on a copy, since thop leaves buffers behind.

    Tensors without data are tried first, since thop needs shapes only. An encoder that looks at its
    mask needs real ones.
    """
    try:
        tensors = {
            id(tensor): _meta(tensor) for tensor in (*encoder.parameters(), *encoder.buffers())
        }
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
    return (
        type(value)(_meta(entry) for entry in value) if isinstance(value, (list, tuple)) else value
    )
