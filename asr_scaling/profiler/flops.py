"""Floating-point operations, counted while they run, attention included whatever kernel computes it."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.pipeline import Session
from asr_scaling.ports import Phase
from asr_scaling.record import Findings, Metric
from asr_scaling.workload import AudioBatch

_METRICS = ("flops/encoder", "flops/decoder_step", "flops/utterance", "flops/encoder_thop")
_NO_MODULES = "the engine shows no torch modules to count"


@dataclass(frozen=True)
class Flops:
    """One call on the longest utterance alone. A multiply-add is two operations, in every figure."""

    name: str = field(default="flops", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def measure(self, session: Session) -> Findings:
        """Encoder, one decoding step, the whole utterance; and the encoder by thop × 2, the study's convention."""
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
            by_stage, steps = self._count(session, batch)
        finally:
            hook.remove()
        metrics = [
            Metric("flops/utterance", sum(by_stage.values()), 1),
            Metric("flops/encoder", by_stage.get("encoder", 0), 1),
            Metric("flops/audio_s", longest.duration_s),
        ]
        unavailable = {}
        if steps:
            metrics.append(Metric("flops/decoder_step", by_stage.get("decoder", 0) / steps, steps))
        else:
            unavailable["flops/decoder_step"] = "the model does not decode step by step"
        try:
            metrics.append(Metric("flops/encoder_thop", _thop(modules["encoder"], *seen[0]) * len(seen), 1))
        except Exception as error:  # thop knows few kinds of module and fails in many ways
            unavailable["flops/encoder_thop"] = f"thop failed: {type(error).__name__}: {error}"
        return Findings(tuple(metrics), unavailable, tags={"flops/method": "counted by torch.utils.flop_counter"})

    def _count(self, session: Session, batch: AudioBatch) -> tuple[dict[str, int], int]:
        """Stage → operations, and the decoding steps."""
        import torch

        # no_grad rather than inference_mode: there composite operators reach the counter undivided
        with torch.inference_mode(False), torch.no_grad(), _counter() as counter:
            probe = _CountingProbe(counter)
            done = session.transcribe(batch, probe)
            probe.stage("end")
        return probe.by_stage, done.steps


class _CountingProbe:
    """Attributes the operations since the last mark to the stage that was under way."""

    def __init__(self, counter: Any) -> None:
        self._counter, self._current, self._before = counter, "other", 0
        self.by_stage: dict[str, int] = {}

    def stage(self, name: str) -> None:
        total = self._counter.get_total_flops()
        self.by_stage[self._current] = self.by_stage.get(self._current, 0) + total - self._before
        self._current, self._before = name, total

    def token(self) -> None:
        """Steps are counted by the transcription."""


def _counter() -> Any:
    """torch's counter, taught the CPU's fused attention, which it does not know by itself (torch 2.13)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={fused: attention})


def _thop(encoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """thop's multiply-adds × 2 for the same inputs; on a copy, since thop leaves buffers behind."""
    import torch
    from thop import profile

    class Call(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = copy.deepcopy(encoder)
            self.encoder._forward_pre_hooks.clear()
            self.encoder._forward_hooks.clear()

        def forward(self, *inputs: Any) -> Any:
            return self.encoder(*inputs, **kwargs)

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # thop calls distutils, long deprecated
        macs, _ = profile(Call(), inputs=args, verbose=False)
    return 2.0 * float(macs)
